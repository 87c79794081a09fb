# Two commands start from nothing: `make run` and `make test`. Both need Python 3.11 to 3.14, and nothing else.

PY := .venv/bin/python
PYTEST_PROCESSES ?= 4
PYTEST_ARGS ?=
export PYTHON
# Many a process is started from the checkout; where this is set, each of them would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-slow test-events test-replies test-sip test-vicidial test-asterisk test-packages chaos lint types contracts format check bench walk screenshots openapi clients release-check lock docker clean run-environment dev-environment

help: ## this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: run-environment ## start Callgate with its own Postgres and Valkey, unless CALLGATE_DATABASE_URL and CALLGATE_REDIS_URL name others
	@exec .venv/bin/callgate serve

# By files, so that the service of a file is started once, and in the order of tests/conftest.py. Most of a test is waiting: two processes a processor. Those that assert deadlines run by themselves, afterwards. Status 5 says that -k chose none of a part.
test: dev-environment ## run the tests on real Postgres and Valkey (PYTEST_ARGS="-k …" chooses)
	$(PY) -m pytest -n $(PYTEST_PROCESSES) --dist loadfile --no-loadscope-reorder -m "not sip and not far_side and not slow and not alone" $(PYTEST_ARGS) || [ $$? = 5 ]
	$(PY) -m pytest -m "alone and not slow" $(PYTEST_ARGS) || [ $$? = 5 ]

test-fast: dev-environment ## the tests that need no store: under a minute
	$(PY) -m pytest -n $(PYTEST_PROCESSES) --dist worksteal -m "not stores and not sip and not far_side and not slow and not alone" $(PYTEST_ARGS)

test-slow: dev-environment ## the races a hundred times over
	$(PY) -m pytest -m "slow and not sip and not far_side" $(PYTEST_ARGS)

EVENTS ?= 100000
test-events: dev-environment ## many events to a receiver that fails, while Callgate, Postgres and the receiver are killed (EVENTS=100000)
	CALLGATE_TEST_EVENTS=$(EVENTS) $(PY) -m pytest -s tests/events/test_killed.py $(PYTEST_ARGS)

REPLIES ?= 10000
test-replies: dev-environment ## many replies by six carriers, repeated and forged ones among them (REPLIES=10000)
	CALLGATE_TEST_REPLIES=$(REPLIES) $(PY) -m pytest -s tests/replies/test_many_replies.py $(PYTEST_ARGS)

test-sip: dev-environment ## real calls through examples/kamailio; installs Debian's kamailio and sipp
	@.ci/sip
	$(PY) -m pytest -m sip $(PYTEST_ARGS)

VICIDIAL ?=
test-vicidial: dev-environment ## VICIdial's own list filter on a real MariaDB; VICIDIAL=a checkout that you fetched, of which it says more
	@[ -z "$(VICIDIAL)" ] || .ci/vicidial
	CALLGATE_TEST_VICIDIAL="$(VICIDIAL)" $(PY) -m pytest -m far_side tests/far_side/test_vicidial.py $(PYTEST_ARGS)

ASTERISK ?= $(CURDIR)/.venv/asterisk
test-asterisk: dev-environment ## real calls through a real Asterisk with the dial plans of its page; unpacks Debian's, and installs sipp
	@.ci/sip
	@.ci/asterisk "$(ASTERISK)"
	CALLGATE_TEST_ASTERISK="$(ASTERISK)" $(PY) -m pytest -m far_side tests/far_side/test_asterisk.py $(PYTEST_ARGS)

PACKAGES ?= $(CURDIR)/.venv/packages
test-packages: dev-environment ## the recipes with LiveKit's, jambonz's and Vapi's own packages, which it installs apart
	@.ci/packages "$(PACKAGES)"
	CALLGATE_TEST_PACKAGES="$(PACKAGES)" PYTHONPATH="$(PACKAGES)/vapi" \
		$(PY) -m pytest -m "far_side or slow" tests/far_side/test_packages.py tests/connectors/test_vapi_types.py $(PYTEST_ARGS)

MINUTES ?= 4
SEED ?=
PAGE ?=
CHAOS_ARGS ?=
chaos: dev-environment ## kills, freezes, flushes, restores, clock steps and failovers under load (MINUTES=60, SEED=7, PAGE=docs/chaos.md, CHAOS_ARGS="--faults kill_worker,…")
	$(PY) -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(PAGE),--page $(PAGE)) $(CHAOS_ARGS)

lint: dev-environment ## ruff: rules and layout
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: dev-environment ## mypy, strict
	$(PY) -m mypy

contracts: dev-environment ## who may import whom
	.venv/bin/lint-imports

format: dev-environment ## let ruff lay the code out
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

check: lint types contracts test ## everything above

bench: bench-intents bench-window bench-content ## intents a second against the ceiling of an empty route; what the window and the scan cost

BASE ?=
bench-content: dev-environment ## what a scan costs; with BASE=<commit>, by turns with that commit's scan of the same texts, and the ratio
	$(PY) -m benchmarks.content $(if $(BASE),--base $(BASE))

bench-%: dev-environment ## bench-content, bench-window, bench-law, bench-channels, bench-registry, bench-imports, bench-evidence, bench-console, bench-layouts, bench-scaling, bench-costs, bench-storage: one part by itself
	$(PY) -m benchmarks.$*

screenshots: dev-environment ## the pictures of docs/console.md anew, on sample data; wants Debian's chromium
	CALLGATE_TEST_SCREENSHOTS=docs/images $(PY) -m pytest tests/console/test_screenshots.py $(PYTEST_ARGS)

DECISIONS ?= 5000000
walk: dev-environment ## each page's main job walked in Chromium on generated decisions, every step timed (DECISIONS=5000000); wants Debian's chromium
	CALLGATE_TEST_WALK=$(DECISIONS) $(PY) -m pytest -s tests/console/test_the_walk.py $(PYTEST_ARGS)

openapi: dev-environment ## at a release: write docs/openapi.json, which the next one must not break
	$(PY) -m tests.contract.openapi_diff --write

clients: dev-environment ## after make openapi: what is generated of clients/ anew; fetches its generators, wants npm
	$(PY) .ci/clients

release-check: dev-environment ## sdist and wheel built, installed outside the checkout, served, toured and removed
	$(PY) .ci/release-check

lock: ## write the lock files anew from pyproject.toml
	.ci/lock

docker: ## build the image and start it with Postgres and Redis
	docker compose up --build --wait

clean: ## remove the virtual environment and the caches, but never data/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

run-environment:
	@.ci/environment run

dev-environment:
	@.ci/environment dev
