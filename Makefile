# `make demo` and `make test` need nothing but Python 3.11 or later with its venv module. The tests want every extra, PyTorch among them:
# on Linux some 5 GB, unless pip finds a build of it for CPUs alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint full fuzz bench bench-scale docs dist clean

demo: $(VENV)/installed
	$(BIN)/convcli apply samples/coffee.jpg --kernel sobel --stride 2 -o demo.png
	@echo "The edges are in demo.png."

test: $(VENV)/tested lint
	$(BIN)/pytest -n auto

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The long run: every property test with its full count of examples, a soak of 200,000 files on a cluster, 10,000 commands in one
# process, and what takes a cluster minutes.
full: $(VENV)/tested
	HYPOTHESIS_PROFILE=full SOAK_FILES=200000 $(BIN)/pytest -n auto

# Fuzzing guided by coverage, so many seconds for each target; needs atheris, which there is for Linux and macOS.
FUZZ_SECONDS ?= 120
fuzz: $(VENV)/tested
	$(BIN)/pip install --quiet --disable-pip-version-check atheris
	for target in image spec kernel-file weights command-line; do \
		PYTHONPATH=tests $(BIN)/python -m support.fuzzing $$target $(FUZZ_SECONDS) || exit 1; done

# Against OpenCV, SciPy and torch, and libvips, ImageMagick and G'MIC where they are installed; writes benchmarks/RESULTS.md,
# how far the planner's choices lie from the best, benchmarks/REGRET.md, many images, benchmarks/MANY.md, many commands,
# benchmarks/THOUSAND.md, and PNG encoders, benchmarks/ENCODERS.md. `make docs` takes them into docs/speed.md.
bench: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/regret.py
	$(BIN)/python benchmarks/many.py
	$(BIN)/python benchmarks/thousand.py
	$(BIN)/python benchmarks/encoders.py

# Large pictures beside libvips and dask-image; writes benchmarks/SCALE.md. It needs some 10 GB of disk and half an hour; with
# SCALE='--sides 3000,6000 --rounds 1' a minute. `--huge 100` adds a part of a picture of 100,000 × 100,000 pixels.
bench-scale: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/scale.py $(SCALE)

# The man pages, the completion scripts and the generated parts of the documents.
docs: $(VENV)/installed
	$(BIN)/python man/generate.py
	$(BIN)/python docs/generate.py

# The source distribution and the wheel, in dist/. Where pictures of the README are served: PROJECT_FILES, see docs/CONTRIBUTING.md.
dist: $(VENV)/tested
	$(BIN)/python -m build

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) demo.png build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
