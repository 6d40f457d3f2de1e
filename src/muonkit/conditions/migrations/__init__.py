"""How a store of an older muonkit becomes one of this: one file per step in `versions`, run by Alembic."""
