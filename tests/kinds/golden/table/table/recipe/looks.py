"""How numbers and pages of reports look: units, shares, colours, one style sheet."""

UNITS = {"first_token": "s", "answer_p50": "s", "answer_p95": "s", "memory_peak": "bytes"}
SHARES = ("accuracy", "low", "high", "cut", "bleu", "chrf", "rouge", "win_rate", "ties", "acc", "acc_norm", "exact_match")
INK, OURS, OTHERS, LIGHT = "#1c2430", "#2f6fde", "#9aa7b8", "#e6eaf0"
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6878; --line: #d9dfe7; --back: #fff;
  --good: #1b7f4b; --bad: #b3362b }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf2; --soft: #9aa7b8; --line: #333c48; --back: #14181e; --good: #58c48c; --bad: #ef8177 }
  img { background: #fff; border-radius: 6px }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2.4rem }
p.soft { color: var(--soft); margin-top: 0 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right } img { max-width: 100% } summary { cursor: pointer; color: var(--soft); margin: 1rem 0 }
.right { color: var(--good) } .wrong { color: var(--bad) }
td.said { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 24rem }
.rehearsal { border: 1px solid var(--bad); color: var(--bad); border-radius: 4px; padding: 0 .4rem; font-size: .9rem }
"""


def shown(name, value):
    """A number as a person reads it."""
    last = name.split(".")[-1]
    if last in SHARES and abs(value) <= 1:  # others count the same from 0 to 100
        return f"{100 * value:.1f} %"
    if UNITS.get(last) == "bytes":
        return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"
    if UNITS.get(last) == "s":
        return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.0f} ms"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
