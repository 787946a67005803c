"""The schema: its steps run once, on both databases, and end where the tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checkpoint.store import StorageFailed, Store
from checkpoint.store.database import Database
from checkpoint.store.migrations import MIGRATIONS
from checkpoint.store.tables import TABLES
from tests.ground import T0, Still
from tests.places import Place
from tests.postgres import Server
from tests.witness import fact

# What a peewee field is in a database, by its own name there.
_TYPES = {
    "sqlite": {"TEXT": "TEXT", "BLOB": "BLOB", "BIGINT": "BIGINT", "INT": "INTEGER", "FLOAT": "REAL"},
    "postgresql": {"TEXT": "text", "BLOB": "bytea", "BIGINT": "bigint", "INT": "bigint", "FLOAT": "double precision"},
}


def _columns(database: Database, table: str) -> dict[str, Any]:
    return {column.name: column for column in database.get_columns(table)}


def _unique(database: Database, table: str) -> set[tuple[str, ...]]:
    return {tuple(index.columns) for index in database.get_indexes(table) if index.unique}


def _keys(database: Database, table: str) -> tuple[str, ...]:
    return tuple(database.get_primary_keys(table))


def test_the_steps_of_the_schema_end_where_the_tables_say(place: Place) -> None:
    store = place.open(Still())
    database = store._db
    types = _TYPES[place.kind]
    for table in TABLES:
        meta: Any = table._meta
        wanted = {field.column_name: field for field in meta.sorted_fields}
        found = _columns(database, meta.table_name)
        assert found.keys() == wanted.keys(), table
        for name, field in wanted.items():
            assert found[name].data_type == types[field.field_type], (table, name)
            # A primary key of text is not null by our own care: SQLite would let it.
            assert found[name].null == field.null or (field.primary_key and place.kind == "sqlite"), (table, name)
        keys = tuple(field.column_name for field in meta.get_primary_keys())
        assert _keys(database, meta.table_name) == keys, table
        told = {(field.column_name,) for field in meta.sorted_fields if field.unique} | {keys}
        assert _unique(database, meta.table_name) | {keys} == told, table
    store.close()


def test_both_databases_end_with_the_same_schema(postgres: Server, tmp_path: Path) -> None:
    """The tables without a model too: those of the hot paths."""
    shapes: list[dict[str, Any]] = []
    with postgres.database() as url:
        for where in (tmp_path / "checkpoint.db", url):
            store = Store.open(where, Still(), key_folder=tmp_path / str(len(shapes)))
            shapes.append({table: _shape(store._db, table) for table in store._db.get_tables() if table != "sqlite_sequence"})
            store.close()
    assert shapes[0].keys() == shapes[1].keys()
    assert "facts" in shapes[0]
    for table, shape in shapes[0].items():
        assert shape == shapes[1][table], table


def _shape(database: Database, table: str) -> dict[str, Any]:
    kinds = {ours: "INT" if kind == "BIGINT" else kind for kind, ours in _TYPES[database.kind].items()}
    keys = _keys(database, table)
    return {
        # Whether a primary key may be null SQLite does not say.
        "columns": [(c.name, kinds[c.data_type], c.null and c.name not in keys) for c in database.get_columns(table)],
        "keys": keys,
        "unique": _unique(database, table) - {keys},
        "indexes": {tuple(index.columns) for index in database.get_indexes(table)} - {keys},
    }


def test_a_database_is_brought_up_to_date_once(place: Place) -> None:
    for _ in range(2):
        store = place.open(Still())
        assert store._db.rows("SELECT number, name FROM migrations ORDER BY number") == [
            (n, name) for n, (name, _) in enumerate(MIGRATIONS, start=1)
        ]
        store.record(fact("a", T0))
        store.close()


def test_a_database_of_a_newer_program_is_left_alone(place: Place) -> None:
    place.open(Still()).close()
    place.behind("INSERT INTO migrations VALUES (99999, 'later', 0)")
    with pytest.raises(StorageFailed, match="newer version"):
        place.open(Still())
