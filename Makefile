# Eventline. `make` alone lists the targets; every target sets up what it needs, once.
# Everything that is made lives in .eventline/, which `make clean` removes.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# A bootstrap Python; everything else runs in the virtual environment made from it.
PYTHON ?= python3
# How many users the demo registers.
USERS ?= 1000
# The load: requests a second and seconds (without: a default of the mode), MAX_RATE=1 searches for the maximum sustainable rate.
RATE ?= 100
SECONDS ?=
MAX_RATE ?=
# The state that `make run` starts on: run, or demo.
STATE ?=
# SECURE=1: the system that is started here has TLS, a login and rights for each process.
SECURE ?=
# DRAFT=1 makes a release that may lack parts, and names them.
DRAFT ?=
# The id whose journey is shown.
ID ?=
# Where the stories run: local, compose or kind.
TARGET ?= local
# The address of a Prometheus that watches the release on kind; without, the dashboards are tested on a local run.
PROMETHEUS ?=

FOLDER := .eventline
VENV := $(FOLDER)/venv
BIN := $(VENV)/bin
KAFKA := $(FOLDER)/kafka
# A stamp is touched last: an interrupted set-up has none and starts again.
PACKAGES_READY := $(VENV)/.ready
KAFKA_READY := $(KAFKA)/.ready
# Optional; inside the environment, so that it goes with it.
PARQUET_READY := $(VENV)/.parquet
# Tools of others for a release, in an environment of their own: they are in no image and in no process of ours.
RELEASE_READY := $(FOLDER)/release/.ready
# A broker that is already there needs no jars.
BROKER_READY := $(if $(APP_KAFKA_BOOTSTRAP_SERVERS),,$(KAFKA_READY))
WORKBENCH := $(if $(SECURE),APP_SECURE=$(SECURE) )$(BIN)/python -m services.workbench

##@ Run
demo: $(PACKAGES_READY) $(BROKER_READY) ## run the whole system here with USERS=1000 users, and count the effects
	@APP_USERS=$(USERS) $(WORKBENCH) demo

run: $(PACKAGES_READY) $(BROKER_READY) ## start the whole system here and stay up until Ctrl-C; STATE=demo starts on the demo's data, SECURE=1 with logins and TLS
	@$(WORKBENCH) run --state $(or $(STATE),run)

tour: $(PACKAGES_READY) $(KAFKA_READY) ## show patterns, an outage, lag, a changed audit entry and users of an earlier moment; ARGS=--unattended waits for no Enter
	@$(WORKBENCH) tour $(ARGS)

load: $(PACKAGES_READY) $(BROKER_READY) ## offer RATE=100 requests a second for SECONDS=60, or find the maximum sustainable rate with MAX_RATE=1
	@$(WORKBENCH) load --rate $(RATE) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(MAX_RATE),--max-rate) $(ARGS)

verify: $(PACKAGES_READY) ## check the audit chain of the last demo
	@$(BIN)/python -m services.workbench verify

##@ Look at a running system (that of make run, compose or kind)
journey: $(PACKAGES_READY) ## show everything that one command led to: make journey ID=..., an id of any of its records
	@$(BIN)/python -m services.console journey $(or $(ID),$(error name one: make journey ID=..., a correlation, event or user id)) $(ARGS)

events: $(PACKAGES_READY) ## follow the records of all topics; ARGS="--type user.registered --count 5"
	@$(BIN)/python -m services.console events $(ARGS)

lag: $(PACKAGES_READY) ## show how far each consumer group is behind
	@$(BIN)/python -m services.console lag

held: $(PACKAGES_READY) ## list the records that could not be applied
	@$(BIN)/python -m services.console held list

reconcile: $(PACKAGES_READY) ## compare the log of the running system with rows, mails and audit log, and find anomalies; ARGS="--history FILE" adds what clients saw
	@$(BIN)/python -m services.workbench reconcile $(ARGS)

mails: $(PACKAGES_READY) ## show the newest mails of make run
	@$(BIN)/python -m services.workbench mails $(ARGS)

break: $(PACKAGES_READY) ## break it on purpose and count what is lost, repeated and delayed; ARGS="kill notification --for 30s", "list", "heal"
	@$(BIN)/python -m services.workbench break $(ARGS)

chaos: $(PACKAGES_READY) $(KAFKA_READY) ## break a loaded system as SEED decides, and find anomalies; TARGET=postgresql, compose, kind; ARGS="--seconds 900 --faults 30"
	@$(WORKBENCH) chaos $(if $(SEED),--seed $(SEED)) --target $(TARGET) $(ARGS)

##@ Check
test: $(PARQUET_READY) $(KAFKA_READY) ## run the tests on three workers, which often wait; ARGS="-k word" goes to pytest, "-n0" runs one process
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(PARQUET_READY) $(KAFKA_READY) ## run the tests that take 30 seconds and more each, on two workers
	@$(BIN)/python -m pytest -m "long and not on_demand" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-charts: $(PACKAGES_READY) ## check the Helm charts with each installed Helm
	@$(BIN)/python -m pytest -m charts tests/charts $(ARGS)

test-images: $(PACKAGES_READY) ## check the images that `make images` built
	@$(BIN)/python -m pytest -m images tests/images $(ARGS)

test-dashboards: $(PACKAGES_READY) $(if $(PROMETHEUS),,$(KAFKA_READY)) ## run every panel's query under load; PROMETHEUS=http://... of the release on kind
	@$(BIN)/python -m pytest -m dashboards tests/dashboards $(if $(PROMETHEUS),--prometheus $(PROMETHEUS)) $(ARGS)

e2e: $(PACKAGES_READY) ## run the stories on TARGET=local, compose or kind
	@$(if $(SECURE),APP_SECURE=$(SECURE) )$(BIN)/python -m pytest -m "e2e and not on_demand" tests/e2e --target $(TARGET) $(ARGS)

test-alerts: $(PACKAGES_READY) $(KAFKA_READY) ## cause every alert on a local system and check that it fires and clears
	@$(BIN)/python -m pytest -m alerts tests/alerts $(ARGS)

test-release: $(PACKAGES_READY) $(RELEASE_READY) ## make a release of a temporary clone, and have the repository's own files judged by their checkers
	@$(BIN)/python -m pytest -m release tests/release $(ARGS)

lint: $(PACKAGES_READY) ## check style, types, architecture, unused code and the prose's word list
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy services tests k8s examples
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python -m tests.support.jargon
	! git grep -nE '^(<{7}|>{7}) ' # what a merge left behind

bench: $(PACKAGES_READY) $(KAFKA_READY) ## compare with hand-written minimal loops and other libraries; ARGS="a c" chooses
	@$(BIN)/python -m services.workbench.bench $(ARGS)

soak: $(PACKAGES_READY) $(KAFKA_READY) ## the long checks of whole systems; ARGS="memory rebuild --scale 0.01"
	@$(BIN)/python -m services.workbench.soak $(ARGS)

##@ Extend
new-service: $(PACKAGES_READY) ## write a service that reads topics: make new-service NAME=billing READS=user.state.v1
	@$(BIN)/python -m services.workbench.new_service make "$(NAME)" "$(READS)"

remove-service: $(PACKAGES_READY) ## remove a service that new-service wrote: make remove-service NAME=billing
	@$(BIN)/python -m services.workbench.new_service remove "$(NAME)"

##@ Deploy
images: ## build the images: one for each service, and eventline/console
	@REVISION=$$(git describe --always --dirty --abbrev=40 2>/dev/null || echo unknown) docker compose build

cluster: $(PACKAGES_READY) ## create the kind cluster, unless it exists
	@$(BIN)/python -m k8s cluster

deploy: $(PACKAGES_READY) images ## install the whole system on kind; KIND_KAFKA_NODES=3 brokers, KIND_KAFKA_TLS=1, KIND_USER_PORT=... moves a port
	@$(BIN)/python -m k8s deploy

undeploy: $(PACKAGES_READY) ## remove the release and its data from the cluster
	@$(BIN)/python -m k8s undeploy

destroy: $(PACKAGES_READY) ## remove the kind cluster
	@$(BIN)/python -m k8s destroy

doctor: $(PACKAGES_READY) ## list what this machine lacks for all this, and how to get it
	@$(BIN)/python -m k8s doctor

##@ Tend
release: $(PACKAGES_READY) $(RELEASE_READY) ## build, check and describe a release from a clean clone, up to the push; DRAFT=1 for a try
	@$(BIN)/python -m services.workbench.release $(if $(DRAFT),--draft) $(ARGS)

docs: $(PACKAGES_READY) ## write what is generated: docs of the contracts, the charts' schemas and tables, dashboards, alert rules
	@$(BIN)/python -m services.workbench.documents
	@$(BIN)/python -m k8s.dashboards
	@$(BIN)/python -m k8s.alerts
	@$(BIN)/python -m k8s.charts

golden: $(PACKAGES_READY) ## write the golden records of types that are new or have new optional fields; published ones stay as they are
	@$(BIN)/python -m services.workbench.documents.goldens

parquet: $(PARQUET_READY) ## install the library (50 MB) that `console export --format parquet` needs

lock: $(PACKAGES_READY) ## write requirements.lock and requirements-parquet.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--group dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--group pyproject.toml:parquet --output-file requirements-parquet.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--group pyproject.toml:release --output-file requirements-release.lock

clean: ## remove everything that was made, the demo's state included
	rm -rf $(FOLDER)

# Targets that `make help` lists first, and times on two cores after the set-up; targets without one take seconds.
START := demo run tour test
TIMES := demo=25_s run=until_Ctrl-C tour=3_min load=1_min break=1_min chaos=4_min test=6_min test-long=20_min test-charts=1_min test-images=35_s test-release=2_min release=10_min \
	test-dashboards=70_s e2e=5_to_10_min test-alerts=5_min lint=1_min bench=minutes soak=30_min images=1_min cluster=1_min deploy=2_min

help: ## show this list
	@[ ! -t 1 ] || colour=36; awk -v colour="$${colour:-}" -v start="$(START)" -v times="$(TIMES)" -f services/workbench/help.awk $(MAKEFILE_LIST)

##@ The operator's commands: .eventline/venv/bin/python -m services.console COMMAND, with --help
#: topics     create the topics that are missing
#: lag        show how far each consumer group is behind
#: events     show records, decoded, a line for each
#: journey    show everything that one command led to
#: held       list the records that could not be applied, retry or discard them
#: outbox     list the events that the broker refused for good, retry or skip them
#: relay      show whether a service publishes its events, pause and resume it
#: rebuild    compare a projection with the log, or rebuild it while it serves
#: as-of      build the users of any moment from the log, in a database of their own
#: token      print a token for the APIs, made with a key of a development issuer
#: rights     create topics, the least rights and the users of Kafka, from one table; --check, --strimzi
#: secrets    create the Kubernetes Secrets that are missing, with generated passwords; for the charts
#: export     write what is new in a topic to a file of JSON lines or Parquet
#: probe      serve the lag as metrics

$(PACKAGES_READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V): Eventline needs 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up, once, in about a minute: a Python environment in $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "setting up: uv, which installs the packages ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement <(sed -n '/^uv==/,/^ *# via/p' requirements.lock)
	@$(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements.lock 2>&1 \
		| { grep --line-buffered -vE '^ [+-] |^Using Python|^Downloading' || true; }
	@touch $@

$(PARQUET_READY): $(PACKAGES_READY) requirements-parquet.lock
	@echo "setting up: the library that writes Parquet ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements-parquet.lock
	@touch $@

$(RELEASE_READY): requirements-release.lock | $(PACKAGES_READY)
	@echo "setting up: the tools of a release ..."
	@$(BIN)/uv venv --quiet --clear $(FOLDER)/release
	@$(BIN)/uv pip install --quiet --python $(FOLDER)/release/bin/python --require-hashes --requirement requirements-release.lock
	@touch $@

$(KAFKA_READY): services/workbench/local/pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo "Java 17 or newer and Maven are needed for the local broker: on Debian and Ubuntu, apt-get install default-jdk-headless maven" >&2; exit 1; }
	@java -version 2>&1 | grep -E 'version "(1[7-9]|[2-9][0-9])' >/dev/null || { echo "Java 17 or newer is needed; this is $$(java -version 2>&1 | head -1)" >&2; exit 1; }
	@echo "setting up: Apache Kafka's jars (Maven) in $(KAFKA) ..."
	@rm -rf $(KAFKA)
	@mvn --batch-mode -Dstyle.color=never -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(KAFKA) \
		| awk '/Downloaded from/ { if (++files % 50 == 0) { print " " files " of about 400 files downloaded"; fflush() } } /ERROR/'
	@touch $@

.PHONY: demo run tour load chaos reconcile verify journey events lag held mails break test test-long test-charts test-images test-alerts test-dashboards e2e lint bench soak
.PHONY: new-service remove-service images cluster deploy undeploy destroy doctor docs lock parquet clean help
.PHONY: golden release test-release
