-- serves: 1
-- The credentials of the HTTP API. A key or a session is a random text of 256 bits, so its SHA-256 needs no salt.

create table tasker.api_key (
  key_id       uuid primary key,
  -- Acts are recorded under `key:` and this name. During a rotation, two keys have the same name.
  name         text not null,
  -- The beginning of the key, by which people recognize it.
  prefix       text not null,
  hash         bytea not null,
  roles        text[] not null,
  permissions  text[] not null,
  -- Null: all.
  namespaces   text[],
  created_at   timestamptz not null default now(),
  created_by   text not null,
  expires_at   timestamptz,
  revoked_at   timestamptz,
  revoked_by   text,
  -- The key that a rotation created in its place.
  replaced_by  uuid,
  last_used_at timestamptz,
  constraint api_key_hash unique (hash),
  constraint api_key_is_sha256 check (octet_length(hash) = 32),
  constraint api_key_revoked check ((revoked_at is null) = (revoked_by is null)),
  constraint api_key_allows_something check (cardinality(roles) + cardinality(permissions) > 0),
  constraint api_key_sees_something check (cardinality(namespaces) > 0)
);
create unique index api_key_name on tasker.api_key (name) where revoked_at is null and replaced_by is null;

-- Sessions of browsers. A session that began with a key ends with it.
create table tasker.web_session (
  hash        bytea primary key,
  key_id      uuid references tasker.api_key,
  subject     text not null,
  roles       text[] not null,
  permissions text[] not null,
  namespaces  text[],
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  constraint web_session_is_sha256 check (octet_length(hash) = 32)
);
create index web_session_expires on tasker.web_session (expires_at);
create index web_session_key on tasker.web_session (key_id);
