# make run   set up and run the main job: ends with the path of report.html
# make test  set up and pass lint, types, import layers and tests
# make real  calibrate on CMS Open Data 2010, validate on the Z of 2011 (data in ../shared/data)
# make figures  the figures of the documentation
PYTHON ?= python3
BIN := .venv/bin
OUT ?= out
JOBS ?= 2

.PHONY: run real figures test lint fast clean lock

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "muonkit needs Python 3.11 or newer"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,dask]'
	touch $@

run: .venv/installed
	$(BIN)/muonkit simulate dimuons examples/default/jpsi-data.toml -o $(OUT)/jpsi-data.parquet --jobs $(JOBS)
	$(BIN)/muonkit simulate dimuons examples/default/jpsi-simulation.toml -o $(OUT)/jpsi-simulation.parquet --jobs $(JOBS)
	$(BIN)/muonkit simulate dimuons examples/default/z-data.toml -o $(OUT)/z-data.parquet --jobs $(JOBS)
	cp examples/default/calibrate.toml examples/default/validate-z.toml $(OUT)/
	$(BIN)/muonkit calibrate $(OUT)/calibrate.toml -o $(OUT)/jpsi --jobs $(JOBS)
	$(BIN)/muonkit validate $(OUT)/validate-z.toml --corrections $(OUT)/jpsi/corrections.json.gz -o $(OUT)/jpsi/validation --jobs $(JOBS)
	$(BIN)/muonkit report $(OUT)/jpsi

real: .venv/installed
	$(BIN)/muonkit calibrate examples/cms-open-data-2010.toml -o $(OUT)/real --jobs $(JOBS)
	$(BIN)/muonkit validate examples/cms-open-data-2011-z.toml --corrections $(OUT)/real/corrections.json.gz -o $(OUT)/real/validation --jobs $(JOBS)
	$(BIN)/muonkit report $(OUT)/real

figures: run real
	$(BIN)/python docs/figures.py $(OUT)

test: lint
	$(BIN)/python -m pytest

fast: lint
	$(BIN)/python -m pytest -m 'not slow'

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

lock: .venv/installed
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf .venv out
