"""``python -m napari_slip``: the command line, where its script is not on the path."""

from napari_slip.cli import app

if __name__ == "__main__":
    app(prog_name="napari-slip")
