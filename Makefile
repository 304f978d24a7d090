# make demo: the main job on the example that ships.   make test: all tests.   Both set up .venv first.
#
#   PYTHON       the Python to build the venv with (3.10 to 3.13)
#   TORCH        the torch to install first; a CPU build is enough
#   TORCH_INDEX  an index to take it from, for example https://download.pytorch.org/whl/cpu
#   WORKERS      processes that run the tests, about 1.5 GB each

PYTHON      ?= python3
TORCH       ?= torch==2.13.0
TORCH_INDEX ?=
VENV        ?= .venv
WORKERS     ?= 2

BIN := $(VENV)/bin
RUN := OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m

.PHONY: demo test lint clean

demo: $(VENV)/ready
	@echo "== The main job on the example that ships: demo/replace.mp4, demo/mimo-tiny.mp4, demo/animate.mp4, sheets as .png"
	@echo "== demo/side_by_side.mp4 shows source, proxy and mimo-tiny, a small denoiser that we trained on synthetic people"
	@mkdir -p demo
	$(RUN) mimo_core replace --out demo/replace.mp4 --sheet demo/replace.png --force
	$(RUN) mimo_core replace --decoder mimo --out demo/mimo-tiny.mp4 --sheet demo/mimo-tiny.png --force
	$(RUN) mimo_core animate --out demo/animate.mp4 --sheet demo/animate.png --force
	PYTHONPATH=. $(BIN)/python tools/side_by_side.py demo/side_by_side.mp4 \
	    mimo_core/assets/example/shot.mp4 demo/replace.mp4 demo/mimo-tiny.mp4

test: $(VENV)/ready-dev
	OMP_NUM_THREADS=1 $(RUN) pytest -q --numprocesses $(WORKERS) --dist loadfile
	$(BIN)/ruff check .
	$(BIN)/lint-imports

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/ready: requirements.txt
	@echo "== Setting up $(VENV) with $(PYTHON): $(TORCH) (200 MB for CPU, 3 GB for CUDA), then about 250 MB of packages."
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Python 3.10 or newer is needed, this is " + sys.version'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)'
	$(BIN)/pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready pyproject.toml
	@echo "== Adding the packages of the tests, the extra "dev" of pyproject.toml (150 MB)."
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo
