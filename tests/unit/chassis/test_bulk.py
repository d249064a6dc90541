"""Many values in one statement, in each database's form."""

from sqlalchemy import Column, MetaData, String, Table, create_engine, select

from services.chassis.database import bulk

table = Table("words", MetaData(), Column("word", String(10), primary_key=True))


def test_sqlite_finds_each_of_many_values_by_its_index() -> None:
    found = select(table).where(bulk.one_of(table.c.word, "wanted"))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found.compile(connection)}", ("[]",)).all()
    engine.dispose()
    assert plan[0].detail.startswith("SEARCH words"), plan
