# The common commands by name. Each is an npm script: `npm run` shows them all.
.DEFAULT_GOAL := help

.PHONY: help install start dev seed check migrate migrate-down migrate-status migration test test-unit test-integration \
  test-pg16 coverage lint format typecheck openapi ci up down

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## Install exactly what the lock file names
	npm ci

start: ## Build and serve on http://127.0.0.1:8000 (PostgreSQL included)
	npm start

dev: ## Serve and reload on every change
	npm run dev

seed: ## Add the sample data (running it again changes nothing)
	npm run seed

check: ## Look for stored data that contradicts itself
	npm run check

migrate: ## Apply the pending migrations
	npm run migrate

migrate-down: ## Take back the newest migration
	npm run migrate:down

migrate-status: ## Show which migrations are applied
	npm run migrate:status

migration: ## Make an empty migration: make migration NAME=add_due_reminders
	@test -n "$(NAME)" || { echo 'Give it a name: make migration NAME=add_due_reminders' >&2; exit 1; }
	npm run migrate:make -- "$(NAME)"

test: ## Run all tests
	npm test

test-unit: ## Run the tests of the domain and of the layers
	npm run test:unit

test-integration: ## Run all tests but those of the domain
	npm run test:integration

test-pg16: ## Run all tests on PostgreSQL 16
	npm run test:pg16

coverage: ## Run all tests and write coverage/index.html
	npm run test:coverage

lint: ## Check style and format
	npm run lint

format: ## Mend style and format
	npm run format

typecheck: ## Check the types
	npm run typecheck

openapi: ## Write openapi.json anew from the routes
	npm run openapi

ci: ## Run every check as CI does (installs anew)
	.ci/run

up: ## Start PostgreSQL and the API in containers (needs .env, see .env.example)
	docker compose up --build --detach --wait

down: ## Stop them; the data stays
	docker compose down
