"""The kind `step`: what its scripts look like."""

PLAIN = """
steps:
  my-step: echo hello > out/hello.txt
"""

EVERYTHING = """
vars: {epochs: 3, greeting: "it's \\"so\\" $HOME"}
steps:
  my-source: {run: date > out/date.txt}
  my-step:
    matrix: {rank: [8, 64]}
    inputs: {source: my-source, many: [my-source]}
    files: {words: data/words.txt}
    scripts: {make.py: scripts/make.py}
    run: |
      # counts what there is
      python recipe/make.py in/words "$ZYC_VARS_EPOCHS" "$ZYC_MATRIX_RANK" > out/count.txt
      echo "$ZYC_VARS_GREETING" >> out/count.txt
    env: PATH
    secrets: [LETTER_TOKEN]
    placement: {cpus: 2, memory: 1 GB, time: 5 min, resume: true}
"""

SCRIPT = """import sys

with open(sys.argv[1]) as words:
    print(len(words.read().split()), sys.argv[2:])
"""


def test_plain(workshop, golden):
    """A command is written as it stands, and nothing beside it."""
    workshop.spec(PLAIN)
    golden(workshop.front(), "my-step")


def test_a_file_may_be_an_input_and_a_script(workshop):
    """A file that two fields name stands in both places."""
    both = "files: {words: data/words.txt}, scripts: {words: data/words.txt}"
    workshop.spec(f"steps: {{my-step: {{run: 'cat in/words recipe/words > out/x', {both}}}}}")
    workshop.build()
    assert (workshop.tree("my-step") / "x").read_text() == 2 * (workshop.root / "data/words.txt").read_text()


def test_everything(workshop, golden):
    """Scripts are copied, values that the command names are set, and whatever is only placed stands in placement/."""
    workshop.write("scripts/make.py", SCRIPT)
    workshop.spec(EVERYTHING)
    golden(workshop.front(), "my-step@rank=64")
