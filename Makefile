# Two commands matter: `make demo` and `make test`. Each sets itself up from python3, make and a network.

PYTHON ?= python3
UV     := .uv/bin/uv
VENV   := .venv
RUN    := $(VENV)/bin

.PHONY: demo test tests selfcheck check setup lock clean

demo: setup  ## Run the demo protocol on all shipped methods and write runs/demo/report.html
	$(RUN)/viewsweep run tabletop64-demo --out runs/demo

test: setup  ## Style, types, all tests that need neither GPU nor downloads, and the quick self-check
	$(MAKE) --no-print-directory --jobs 2 check tests
	$(RUN)/viewsweep selfcheck --quick

tests: setup
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n auto --dist loadfile -m "not gpu and not weights and not slow"

selfcheck: setup  ## Prove in half an hour that each metric sees what it claims to see
	$(RUN)/viewsweep selfcheck

check: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/python -m mypy

setup: $(VENV)/.complete

# uv comes from a hash-pinned wheel, everything else from requirements.lock.
$(UV): requirements-uv.lock
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	touch $(UV)

$(VENV)/.complete: requirements.lock pyproject.toml $(UV)
	test -x $(RUN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(RUN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(RUN)/python --no-deps --no-build-isolation --editable .
	mkdir -p $(VENV)/typing && ln -sfn ../.. $(VENV)/typing/viewsweep
	touch $@

lock:  ## Pin the newest versions that pyproject.toml allows, with hashes and without index hosts
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra dev --upgrade pyproject.toml --output-file requirements.lock

clean:  ## Remove the environment and build leftovers; runs/ stays
	rm -rf $(VENV) .uv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
