"""Names of columns: what each format needs, what it may have, and what a person probably meant."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from muonkit.io.config import SHORT, Input

PAIR = ("plus_pt", "plus_eta", "plus_phi", "minus_pt", "minus_eta", "minus_phi")
GENERATOR = ("plus_gen_pt", "plus_gen_eta", "plus_gen_phi", "minus_gen_pt", "minus_gen_eta", "minus_gen_phi")
IDENTITY = ("run", "luminosityBlock", "event")
CMS = ("pt1", "eta1", "phi1", "Q1", "pt2", "eta2", "phi2", "Q2")
NANO = ("Muon_pt", "Muon_eta", "Muon_phi", "Muon_charge")
NANO_GENERATOR = ("GenPart_pt", "GenPart_eta", "GenPart_phi", "GenPart_pdgId", "GenPart_status")
NANO_MATCH = "Muon_genPartIdx"
PT_FACTOR = "pt_factor"  # pT relative to Muon_pt, as Muon_tunepRelPt
STANDARD, REQUIRE = "standard.", "require."  # columns of [input.fallback]: begin of their keys

REQUIRED = {"dimuon": PAIR, "cms-csv": CMS, "nanoaod": NANO}
PT = {"dimuon": ("plus_pt", "minus_pt"), "cms-csv": ("pt1", "pt2"), "nanoaod": ("Muon_pt",)}
PHI = {"dimuon": ("plus_phi", "minus_phi"), "cms-csv": ("phi1", "phi2"), "nanoaod": ("Muon_phi",)}
ANY_CASE = {"run": ("run", "Run"), "event": ("event", "Event"), "luminosityBlock": ("luminosityBlock",)}


def required(file_format: str, simulation: bool) -> tuple[str, ...]:
    """Canonical names of the columns without which a file cannot be read. Raises KeyError for an unknown format."""
    if not simulation:
        return REQUIRED[file_format]
    return REQUIRED[file_format] + (NANO_GENERATOR if file_format == "nanoaod" else GENERATOR)


def optional(file_format: str, simulation: bool) -> tuple[str, ...]:
    """Canonical names of the columns that are read where a file has them."""
    # NanoAOD has no `weight`; genWeight is read only on request: its meaning differs between generators.
    return (*IDENTITY, "weight", *((NANO_MATCH,) if file_format == "nanoaod" and simulation else ()))


def mapping_faults(choice: Input, section: str = "input.columns") -> list[str]:
    """One line for every key of [input.columns], or of `section`, that is no column of the format."""
    known = [*required(choice.format, True), *optional(choice.format, True)]
    known += [*SHORT, PT_FACTOR] if choice.format == "nanoaod" else []
    faults = [f"{section}: {key}: unknown key{_meant(key, known)}" for key in choice.columns if key not in known]
    twice = [key for key, canonical in SHORT.items() if {key, canonical} <= set(choice.columns)]
    faults += [f"{section}: {key}: is the same as {SHORT[key]}; leave one out" for key in twice]
    if PT_FACTOR in choice.names and "Muon_pt" in choice.names:
        faults.append(f"{section}: {PT_FACTOR}: is relative to Muon_pt; leave out the other column for pT")
    return [*faults, *_fallback_faults(choice, section)]


def _fallback_faults(choice: Input, section: str) -> list[str]:
    name = section.replace("columns", "fallback")
    if choice.fallback is None:
        return []
    if choice.format != "nanoaod":
        return [f'{name}: only format = "nanoaod" has standard columns; leave it out']
    if not chosen(choice):
        return [f"{name}: no other columns than the standard ones are chosen; name them in [{section}]"]
    return []


def chosen(choice: Input) -> tuple[str, ...]:
    """Canonical names of what muons of NanoAOD take from other columns than the standard ones."""
    names = choice.names
    return tuple(key for key in (*NANO, PT_FACTOR) if names.get(key, key) not in (key, key.replace("_", ".", 1)))


def is_list(key: str) -> bool:
    """Whether the column `key` holds a list of numbers per event."""
    lists = (*NANO, *NANO_GENERATOR, NANO_MATCH, PT_FACTOR)
    return key in lists or key.startswith((STANDARD, REQUIRE))


def of_muons(key: str) -> bool:
    """Whether the column `key` has a number for every muon, from which its pT, eta, phi and charge are taken."""
    return key in (*NANO, PT_FACTOR) or key.startswith((STANDARD, REQUIRE))


def written(names: Mapping[str, str], file_format: str) -> tuple[str, ...]:
    """Canonical names of the columns that hold corrected pT. `names`: those that are read, or chosen."""
    return (PT_FACTOR,) if PT_FACTOR in names else PT[file_format]


def _meant(key: str, known: Collection[str]) -> str:
    near = close(key, known)
    return f"; did you mean '{near}'?" if near else f"; known are {', '.join(known)}"


def close(word: str, known: Collection[str]) -> str | None:
    """The one of `known` that equals `word` but for a slip or the case of its letters; None if there is none."""
    lower = {name.lower(): name for name in sorted(known)}
    found = get_close_matches(word.lower(), lower, n=1, cutoff=0.85)
    return lower[found[0]] if found else None


def resolve(choice: Input, simulation: bool, found: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Canonical name -> name in the file, and the names that the file should have but has not.

    Blanks around names are ignored: CMS published `px1 `."""
    stripped = {name.strip(): name for name in reversed(list(found))}
    names: dict[str, str] = {}
    missing: list[str] = []
    more = _chosen_too(choice)
    needed = (*required(choice.format, simulation), *more)
    for key in dict.fromkeys((*needed, *optional(choice.format, simulation))):
        candidates = more[key] if key in more else _candidates(key, choice)
        present = [stripped[name] for name in candidates if name in stripped]
        if present:
            names[key] = present[0]
        elif key in needed or key in choice.names:
            missing.append(candidates[0])
    return names, missing


def _chosen_too(choice: Input) -> dict[str, tuple[str, ...]]:
    """Key -> names under which it may stand in a file, of the factor of pT and of what [input.fallback] needs."""
    factor: dict[str, tuple[str, ...]] = {key: (name,) for key, name in choice.names.items() if key == PT_FACTOR}
    if choice.fallback is None:
        return factor
    plain = choice.model_copy(update={"columns": {}})
    standard = {STANDARD + key: _candidates(key, plain) for key in chosen(choice) if key in NANO}
    return factor | standard | {REQUIRE + each.column: (each.column,) for each in choice.fallback.conditions}


def _candidates(key: str, choice: Input) -> tuple[str, ...]:
    """The names under which a column may stand in a file."""
    if key in choice.names:
        return (choice.names[key],)
    if key in (*NANO, *NANO_GENERATOR, NANO_MATCH):
        return (key, key.replace("_", ".", 1))  # a member of a list of records
    return ANY_CASE.get(key, (key,))


def missing_fault(missing: Sequence[str], choice: Input, found: Sequence[str]) -> str:
    """The message for columns that a file does not have, without the name of the file."""
    which = ", ".join(f"'{name}'" for name in missing)
    what = f"column {which} is missing" if len(missing) == 1 else f"columns {which} are missing"
    return f"{what} ({_shown(found)}).{_guess(missing, choice, found)} {_way_out(choice, found)}"


def _shown(found: Sequence[str]) -> str:
    names = [name.strip() for name in found]
    return f"found {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else "found none"


def _guess(missing: Sequence[str], choice: Input, found: Sequence[str]) -> str:
    spare = {name.strip() for name in found} - set(required(choice.format, True))
    guesses = []
    for name in missing:
        if guess := close(name, spare):
            spare.discard(guess)
            guesses.append(f"'{guess}' for '{name}'" if len(missing) > 1 else f"'{guess}'")
    return f" Did you mean {', '.join(guesses)}?" if guesses else ""


def _way_out(choice: Input, found: Collection[str]) -> str:
    names = {name.strip() for name in found}
    fitting = [f for f, needed in REQUIRED.items() if f != choice.format and names.issuperset(needed)]
    other = f', or use format = "{fitting[0]}"' if fitting else ""
    return f"Name the columns in [input.columns]{other}."


def in_file(names: Mapping[str, str], keys: Collection[str]) -> list[str]:
    """The names in the file of those of the canonical columns that it has."""
    return [names[key] for key in keys if key in names]
