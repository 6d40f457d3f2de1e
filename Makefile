# make run   set up and run the main jobs: calibration, then identification; end with the paths of their pages
# make calibration, make identification  one of the two
# make test  set up and pass lint, types, import layers and tests
# make real  calibrate on CMS Open Data 2010, validate on the Z of 2011; J/psi, Upsilon, Z together (data in ../shared/data)
# make audit  the track fit and its approximations against the truth, with 120 000 muons
# make figures  the figures of the documentation
# make payload      simulate 2.2 million tracks and build the payload that comes with muonkit
# make classifier   simulate 1.6 million tracks and train the classifier that comes with muonkit
# make study        from hits to corrections: J/psi, Z and muons in a distorted tracker, fitted twice
# make conditions   the same tracks in an ideal readout and in one as in real life, known and not known
# make benchmark-muid  the sample of the public benchmark, and the scores of muonkit that `benchmark score` shows
# make performance  efficiency and fake rates of both with 640 000 tracks of their own
PYTHON ?= python3
BIN := .venv/bin
OUT ?= out
JOBS ?= 2

.PHONY: run calibration identification real study audit figures payload classifier conditions benchmark-muid performance test lint fast clean lock

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "muonkit needs Python 3.11 or newer"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,dask]'
	touch $@

run: .venv/installed
	$(MAKE) --no-print-directory --jobs=2 calibration identification
	@echo $(OUT)/jpsi/report.html
	@echo $(OUT)/muid/performance/performance.html

calibration: .venv/installed
	$(BIN)/muonkit simulate dimuons examples/default/jpsi-data.toml -o $(OUT)/jpsi-data.parquet --jobs $(JOBS)
	$(BIN)/muonkit simulate dimuons examples/default/jpsi-simulation.toml -o $(OUT)/jpsi-simulation.parquet --jobs $(JOBS)
	$(BIN)/muonkit simulate dimuons examples/default/z-data.toml -o $(OUT)/z-data.parquet --jobs $(JOBS)
	cp examples/default/calibrate.toml examples/default/validate-z.toml $(OUT)/
	$(BIN)/muonkit calibrate $(OUT)/calibrate.toml -o $(OUT)/jpsi --jobs $(JOBS)
	$(BIN)/muonkit validate $(OUT)/validate-z.toml --corrections $(OUT)/jpsi/corrections.json.gz -o $(OUT)/jpsi/validation --jobs $(JOBS)
	$(BIN)/muonkit report $(OUT)/jpsi

# one process: most of its first run is the compilation of kernels, beside the calibration
identification: .venv/installed
	mkdir -p $(OUT)/muid
	cp examples/muid/quick/*.toml $(OUT)/muid/
	for s in mu pi; do \
	  $(BIN)/muonkit simulate klm $(OUT)/muid/$$s.toml -o $(OUT)/muid/$$s.parquet --jobs 1 && \
	  $(BIN)/muonkit identify $(OUT)/muid/identify-$$s.toml -o $(OUT)/muid/$$s.identified.parquet --jobs 1 || exit $$?; \
	done
	$(BIN)/muonkit performance $(OUT)/muid/performance.toml -o $(OUT)/muid/performance

real: .venv/installed
	$(BIN)/muonkit calibrate examples/cms-open-data-2010.toml -o $(OUT)/real --jobs $(JOBS)
	$(BIN)/muonkit validate examples/cms-open-data-2011-z.toml --corrections $(OUT)/real/corrections.json.gz -o $(OUT)/real/validation --jobs $(JOBS)
	$(BIN)/muonkit report $(OUT)/real
	$(BIN)/muonkit calibrate examples/cms-open-data-joint.toml -o $(OUT)/real-joint --jobs $(JOBS)

payload: .venv/installed
	mkdir -p $(OUT)/payload
	cp examples/muid/*.toml $(OUT)/payload/
	for s in mu pi K p d e; do \
	  $(BIN)/muonkit simulate klm $(OUT)/payload/$$s.toml -o $(OUT)/payload/$$s.parquet --jobs $(JOBS) || exit $$?; \
	done
	$(BIN)/muonkit pdfs build $(OUT)/payload/pdfs.toml -o $(OUT)/payload/default_payload.npz --jobs $(JOBS)

classifier: .venv/installed
	mkdir -p $(OUT)/classifier
	cp examples/muid/classifier/*.toml $(OUT)/classifier/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[classifier]'
	for s in e mu pi K p d; do \
	  $(BIN)/muonkit simulate klm $(OUT)/classifier/$$s.toml -o $(OUT)/classifier/$$s.parquet --jobs $(JOBS) || exit $$?; \
	done
	$(BIN)/muonkit classifier train $(OUT)/classifier/classifier.toml -o $(OUT)/classifier/default_classifier.npz --jobs $(JOBS)

conditions: .venv/installed
	rm -rf $(OUT)/conditions
	mkdir -p $(OUT)/conditions
	cp examples/muid/conditions/*.toml $(OUT)/conditions/
	cd $(OUT)/conditions && sh $(CURDIR)/examples/muid/conditions/store.sh $(CURDIR)/$(BIN)/muonkit $(CURDIR)/src/muonkit/muid/default_payload.npz
	for s in mu pi; do \
	  for k in ideal real; do $(BIN)/muonkit simulate klm $(OUT)/conditions/$$s-$$k.toml -o $(OUT)/conditions/$$s-$$k.parquet --jobs $(JOBS) || exit $$?; done; \
	  for k in ideal known untold; do $(BIN)/muonkit identify $(OUT)/conditions/identify-$$s-$$k.toml -o $(OUT)/conditions/$$s-$$k.identified.parquet --jobs $(JOBS) || exit $$?; done; \
	done
	$(BIN)/python -m tests.muid.readout_table $(OUT)/conditions

# EVENTS=50000 makes a smaller one, ENGINE=geant4 the other one
EVENTS ?= 1000000
ENGINE ?= fast
benchmark-muid: .venv/installed
	mkdir -p $(OUT)/benchmark-scores
	cp examples/muid/benchmark/*.toml $(OUT)/benchmark-scores/
	$(BIN)/muonkit benchmark muid -o $(OUT)/benchmark --engine $(ENGINE) --events $(EVENTS) --jobs $(JOBS)
	for s in likelihood improved; do \
	  $(BIN)/muonkit identify $(OUT)/benchmark-scores/$$s.toml -o $(OUT)/benchmark-scores/$$s.parquet --jobs $(JOBS) || exit $$?; \
	done
	$(BIN)/muonkit benchmark score $(OUT)/benchmark $(OUT)/benchmark-scores/likelihood.parquet $(OUT)/benchmark-scores/improved.parquet \
	  --column classifier_mu --column classifier -o $(OUT)/benchmark-scores/report.json
	cp $(OUT)/benchmark-scores/report.json src/muonkit/pipelines/benchmark/reference/$(ENGINE).json

performance: .venv/installed
	mkdir -p $(OUT)/validation
	cp examples/muid/validation/*.toml $(OUT)/validation/
	for s in mu pi K p d e; do \
	  $(BIN)/muonkit simulate klm $(OUT)/validation/$$s.toml -o $(OUT)/validation/$$s.parquet --jobs $(JOBS) && \
	  $(BIN)/muonkit identify $(OUT)/validation/identify-$$s.toml -o $(OUT)/validation/$$s.identified.parquet --jobs $(JOBS) || exit $$?; \
	done
	$(BIN)/muonkit performance $(OUT)/validation/performance.toml -o $(OUT)/validation/performance

study: .venv/installed
	mkdir -p $(OUT)
	$(BIN)/muonkit study examples/study.toml -o $(OUT)/study --jobs $(JOBS)

audit: .venv/installed
	mkdir -p $(OUT)/audit
	cp examples/audit/*.toml $(OUT)/audit/
	$(BIN)/muonkit simulate tracks $(OUT)/audit/muons.toml -o $(OUT)/audit/muons.parquet --jobs $(JOBS)
	$(BIN)/muonkit validate $(OUT)/audit/audit.toml --curvature -o $(OUT)/audit/found --jobs $(JOBS)

figures: run real audit
	$(BIN)/python docs/figures.py $(OUT)

test: lint
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

fast: lint
	$(BIN)/python -m pytest -m 'not slow' --numprocesses $(JOBS) --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

lock: .venv/installed
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf .venv out
