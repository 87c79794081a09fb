"""The first schema: accounts, keys, suppressions, pools, decisions by month, leases, idempotency, consents."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out rather than taken from migrations.tables: a migration says what it did on its day, whatever the
# tables look like later.
SCHEMA = """
CREATE TABLE accounts (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    is_first BOOLEAN DEFAULT false NOT NULL,
    policy JSONB DEFAULT '{}'::jsonb NOT NULL,
    policy_version INTEGER DEFAULT 0 NOT NULL,
    inbound JSONB DEFAULT '{}'::jsonb NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_accounts PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_accounts_is_first ON accounts (is_first) WHERE is_first;
CREATE TABLE attempts (
    intent_id UUID NOT NULL,
    account_id UUID NOT NULL,
    number TEXT NOT NULL,
    type TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    fence BIGINT NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (intent_id)
);
CREATE INDEX ix_attempts_account_id_fence ON attempts (account_id, fence);
CREATE INDEX ix_attempts_account_id_number_at ON attempts (account_id, number, at);
CREATE INDEX ix_attempts_at ON attempts (at);
CREATE TABLE decisions (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    key_id UUID NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    type TEXT NOT NULL,
    verdict TEXT NOT NULL,
    code TEXT,
    codes TEXT[] NOT NULL,
    to_number TEXT NOT NULL,
    from_number TEXT NOT NULL,
    purpose TEXT NOT NULL,
    campaign TEXT,
    document JSONB NOT NULL,
    CONSTRAINT pk_decisions PRIMARY KEY (id),
    CONSTRAINT ck_decisions_verdict CHECK (verdict IN ('approved', 'blocked', 'void'))
)
 PARTITION BY RANGE (id);
CREATE INDEX ix_decisions_account_id_id ON decisions (account_id, id);
CREATE INDEX ix_decisions_account_id_to_number_id ON decisions (account_id, to_number, id);
CREATE TABLE emergencies (
    region TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    declared_by UUID,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_emergencies PRIMARY KEY (region)
);
CREATE TABLE idempotency_keys (
    account_id UUID NOT NULL,
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    resource_id UUID NOT NULL,
    holder UUID NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status SMALLINT,
    headers JSONB,
    body BYTEA,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (account_id, operation, key)
);
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);
CREATE TABLE installation (
    one BOOLEAN DEFAULT true NOT NULL,
    secret BYTEA NOT NULL,
    CONSTRAINT pk_installation PRIMARY KEY (one),
    CONSTRAINT ck_installation_one_row CHECK (one)
);
CREATE TABLE lease_events (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    account_id UUID NOT NULL,
    pool TEXT NOT NULL,
    lease_id UUID NOT NULL,
    event TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lease_events PRIMARY KEY (sequence)
);
CREATE INDEX ix_lease_events_account_id_pool_sequence ON lease_events (account_id, pool, sequence);
CREATE TABLE leases (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    pool TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    acquired_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    hard_end_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by TEXT,
    CONSTRAINT pk_leases PRIMARY KEY (id),
    CONSTRAINT ck_leases_ended_by CHECK (
        ended_by IS NULL OR ended_by IN ('released', 'reconciled', 'expired', 'withdrawn'))
);
CREATE INDEX ix_leases_account_id_pool_id ON leases (account_id, pool, id);
CREATE INDEX ix_leases_live ON leases (account_id, expires_at) WHERE ended_at IS NULL;
CREATE TABLE suppression_events (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    number TEXT NOT NULL,
    channel TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    key_id UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_suppression_events PRIMARY KEY (id),
    CONSTRAINT ck_suppression_events_action CHECK (action IN ('added', 'changed', 'removed', 'expired'))
);
CREATE INDEX ix_suppression_events_account_id_number_id ON suppression_events (account_id, number, id);
CREATE TABLE api_keys (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    name TEXT NOT NULL,
    key_hash BYTEA NOT NULL,
    scopes TEXT[] NOT NULL,
    is_bootstrap BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT fk_api_keys_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);
CREATE INDEX ix_api_keys_account_id ON api_keys (account_id);
CREATE TABLE consents (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    channels TEXT[] NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    evidence JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by TEXT,
    CONSTRAINT pk_consents PRIMARY KEY (id),
    CONSTRAINT ck_consents_kind CHECK (kind IN ('express', 'express_written', 'existing_business')),
    CONSTRAINT fk_consents_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE INDEX ix_consents_account_id_number ON consents (account_id, number);
CREATE TABLE inbound_messages (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    from_number TEXT NOT NULL,
    to_number TEXT NOT NULL,
    action TEXT NOT NULL,
    keyword TEXT,
    words TEXT NOT NULL,
    suppression_ids UUID[] DEFAULT '{}' NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    key_id UUID,
    CONSTRAINT pk_inbound_messages PRIMARY KEY (id),
    CONSTRAINT fk_inbound_messages_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE INDEX ix_inbound_messages_account_id_from_number ON inbound_messages (account_id, from_number);
CREATE TABLE limits (
    account_id UUID NOT NULL,
    name TEXT NOT NULL,
    capacity INTEGER,
    messages_per_second INTEGER,
    messages_per_day INTEGER,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_limits PRIMARY KEY (account_id, name),
    CONSTRAINT fk_limits_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE TABLE pools (
    account_id UUID NOT NULL,
    name TEXT NOT NULL,
    capacity INTEGER NOT NULL,
    calls_per_second INTEGER,
    burst INTEGER,
    reserve JSONB DEFAULT '{}'::jsonb NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_pools PRIMARY KEY (account_id, name),
    CONSTRAINT ck_pools_capacity CHECK (capacity BETWEEN 0 AND 1000000),
    CONSTRAINT fk_pools_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE TABLE suppressions (
    account_id UUID NOT NULL,
    number TEXT NOT NULL,
    channel TEXT NOT NULL,
    id UUID NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT 'manual' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_by UUID,
    CONSTRAINT pk_suppressions PRIMARY KEY (account_id, number, channel),
    CONSTRAINT ck_suppressions_channel CHECK (channel IN ('call', 'sms', 'all')),
    CONSTRAINT fk_suppressions_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE INDEX ix_suppressions_account_id_id ON suppressions (account_id, id);
CREATE INDEX ix_suppressions_expires_at ON suppressions (expires_at) WHERE expires_at IS NOT NULL;
"""

TABLES = (
    "lease_events",
    "inbound_messages",
    "emergencies",
    "consents",
    "idempotency_keys",
    "leases",
    "attempts",
    "decisions",
    "limits",
    "pools",
    "suppression_events",
    "suppressions",
    "api_keys",
    "accounts",
    "installation",
)


def upgrade() -> None:
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            op.execute(statement)
    # A secret of this installation's own: under it the numbers stand as HMACs in Redis.
    op.get_bind().execute(
        sa.text("INSERT INTO installation (secret) VALUES (:secret)"),
        {"secret": secrets.token_bytes(32)},
    )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
