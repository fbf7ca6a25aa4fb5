# Everything is made under .venv, from pinned versions with hashes. Python 3.11 or newer and make are enough; `make sdks` also
# needs Node.js with npm, and keeps its packages in ci/sdks/node_modules.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
TOOLS := .venv/tools
UV := $(TOOLS)/bin/python ci/uv.py
VERSIONS := 3.3 2.11
ENVIRONMENTS := $(VERSIONS:%=.venv/airflow-%/.made)

.PHONY: help
help:
	@echo "make demo         delete payments from a DAG, in real Airflow, at a Bitrix24 on this computer"
	@echo "make test         run all tests on Airflow $(VERSIONS); ARGS='-k limits' selects some"
	@echo "make check        check format, lint, types, layers, words and the documents"
	@echo "make browser      try Airflow's own pages in Chromium, which must be installed"
	@echo "make screenshots  make docs/images of those pages again, in Chromium"
	@echo "make docs         build the pages and the reference under build/docs"
	@echo "make bench        measure speed against other clients, and write bench/RESULTS.md; takes 20 minutes"
	@echo "make matrix       try the wheel on each Airflow and Python that it claims; takes an hour"
	@echo "make full         run everything that is run before a release; takes hours"
	@echo "make clickhouse   run the tests of loads into tables with ClickHouse too, on Airflow $(VERSIONS)"
	@echo "make s3           run the tests of loads into S3, against a server of moto"
	@echo "make sdks         run official and community SDKs against the sandbox; needs Node.js and npm"
	@echo "make environments make .venv/airflow-VERSION for Airflow $(VERSIONS)"
	@echo "make constraints  pin the newest allowed versions in ci/constraints-*.txt"
	@echo "make clean        remove everything that was made here"

.PHONY: environments
environments: $(ENVIRONMENTS)

.PHONY: demo
demo: .venv/airflow-3.3/.made
	@.venv/airflow-3.3/bin/python ci/demo.py

# Both versions side by side; each line of the output begins with the version.
.PHONY: test
test: $(ENVIRONMENTS)
	@$(MAKE) --no-print-directory --jobs=$(words $(VERSIONS)) $(VERSIONS:%=test-%)

.PHONY: $(VERSIONS:%=test-%)
$(VERSIONS:%=test-%): test-%: .venv/airflow-%/.made
	@COLUMNS=$${COLUMNS:-100} PYTHONUNBUFFERED=1 .venv/airflow-$*/bin/python -m pytest -q $(ARGS) 2>&1 | sed -u 's/^/$*: /'

.PHONY: check
check: .venv/airflow-3.3/.made
	@.venv/airflow-3.3/bin/ruff format --check .
	@.venv/airflow-3.3/bin/ruff check .
	@.venv/airflow-3.3/bin/mypy
	@.venv/airflow-3.3/bin/python ci/check_imports.py
	@.venv/airflow-3.3/bin/python ci/check_words.py
	@.venv/airflow-3.3/bin/python ci/check_docs.py

# Airflow's own pages in Chromium, which the system has: `apt-get install chromium`.
.PHONY: browser
browser: $(ENVIRONMENTS)
	@BITRIX24_CHROMIUM=1 $(MAKE) --no-print-directory $(VERSIONS:%=test-%) ARGS="tests/browser $(ARGS)"

.PHONY: screenshots
screenshots: $(ENVIRONMENTS)
	@for version in $(VERSIONS); do PYTHONPATH=. .venv/airflow-$$version/bin/python ci/make_screenshots.py; done

.PHONY: bench
bench: .venv/airflow-bench/.made
	@.venv/airflow-bench/bin/python -m bench $(ARGS)

# One cell after the other, each with an environment in build/matrix; ARGS="3.0 3.3.2-3.13" selects some.
.PHONY: matrix
matrix: $(TOOLS)/.made
	@$(TOOLS)/bin/python ci/matrix.py $(ARGS)

# Takes hours.
.PHONY: full
full: $(TOOLS)/.made
	@$(TOOLS)/bin/python ci/full.py $(ARGS)

.PHONY: docs
docs: .venv/airflow-docs/.made
	@PYTHONPATH=. AIRFLOW_HOME=$(CURDIR)/build/airflow .venv/airflow-docs/bin/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

.PHONY: sdks
sdks: .venv/airflow-sdks/.made ci/sdks/node_modules/.made
	@.venv/airflow-sdks/bin/python -m pytest -q ci/sdks $(ARGS)

# The lock file has hashes and no addresses: `npm install --omit-lockfile-registry-resolved` in a clean folder renews it.
ci/%/node_modules/.made: ci/%/package.json ci/%/package-lock.json
	@cd ci/$* && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null
	@touch $@

# The engine of ClickHouse has an environment of its own, which a server of the tests runs in.
.PHONY: clickhouse
clickhouse: .venv/clickhouse/.made
	@BITRIX24_CLICKHOUSE=1 $(MAKE) --no-print-directory test ARGS="tests/transfers -k clickhouse $(ARGS)"

.venv/clickhouse/.made: ci/constraints-clickhouse.txt $(TOOLS)/.made
	@echo "Making .venv/clickhouse"
	@test -x $(@D)/bin/python || $(UV) venv -q -p $(TOOLS)/bin/python $(@D)
	@$(UV) pip sync -q -p $(@D)/bin/python --require-hashes $<
	@touch $@

.PHONY: s3
s3: .venv/airflow-s3/.made
	@BITRIX24_S3=1 .venv/airflow-s3/bin/python -m pytest -q tests/transfers/test_s3.py $(ARGS)

.PHONY: clean
clean:
	rm -rf .venv ci/*/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(TOOLS)/.made: ci/constraints-tools.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r $<
	@touch $@

.venv/airflow-%/.made: ci/constraints-%.txt pyproject.toml airflow_provider_bitrix24/__init__.py $(TOOLS)/.made
	@echo "Making .venv/airflow-$*"
	@test -x $(@D)/bin/python || $(UV) venv -q -p $(TOOLS)/bin/python $(@D)
	@$(UV) pip sync -q -p $(@D)/bin/python --require-hashes $<
	@$(UV) pip install -q -p $(@D)/bin/python --no-deps --no-build-isolation -e .
	@touch $@

# No pin is newer than this day, which is about the release of the Airflow version, as in the constraints that Airflow
# publishes. Only the main index is asked: extra indexes and directories of wheels seldom have the day of an upload.
# The first providers of DuckDB and ClickHouse are newer. mysqlclient has no wheel, and a compiler would be needed: the tests use another
# driver that the provider of MySQL brings.
NEWEST_2.11 := 2026-03-15
NEWEST_3.3 := 2026-09-18
NEWEST_bench := 2026-11-20
NEWEST_clickhouse := 2026-11-20
NEWEST_docs := 2026-11-20
NEWEST_s3 := 2026-11-20
NEWEST_sdks := 2026-11-20
NEWEST_tools := 2026-11-20

.PHONY: constraints
constraints: $(VERSIONS:%=pin-%) pin-bench pin-clickhouse pin-docs pin-s3 pin-sdks pin-tools

.PHONY: pin-bench pin-clickhouse pin-docs pin-s3 pin-sdks pin-tools $(VERSIONS:%=pin-%)
pin-bench pin-clickhouse pin-docs pin-s3 pin-sdks pin-tools $(VERSIONS:%=pin-%): pin-%: $(TOOLS)/.made
	@echo "# Made by \`make constraints\` from ci/requirements-$*.in; change that file, not this one." > ci/constraints-$*.new
	@UV_INDEX= UV_FIND_LINKS= $(UV) pip compile -q --python-version 3.11 --universal --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --exclude-newer $(NEWEST_$*) \
		--exclude-newer-package b24pysdk=$(NEWEST_tools) --exclude-newer-package apache-airflow-providers-duckdb=$(NEWEST_tools) \
		--exclude-newer-package apache-airflow-providers-clickhousedb=$(NEWEST_tools) \
		--exclude-newer-package clickhouse-connect=$(NEWEST_tools) --exclude-newer-package dlt=$(NEWEST_tools) \
		--no-emit-package mysqlclient ci/requirements-$*.in >> ci/constraints-$*.new
	@mv ci/constraints-$*.new ci/constraints-$*.txt
