"""Why a call was refused or failed, in the language of the person: the log and the rest of the program have it in English."""

import re

# a sentence of ours, its parts in braces -> the same in French, its parts in their order
FRENCH = {
    # what cannot be read as a call
    "it has {} characters, and {} are the most": "{} caractères, et {} au plus sont permis",
    "no name of a tool stands behind `<CALL:`": "aucun nom d'outil ne suit `<CALL:`",
    "it has no end: `>` is missing": "l'appel n'est pas fermé : il manque `>`",
    '`{}` is no argument: `key="value"`': '`{}` n\'est pas un argument : `clé="valeur"`',
    "the argument `{}` stands there twice": "l'argument `{}` y est deux fois",
    "an argument stands there twice": "un argument y est deux fois",
    "its JSON is nested too deeply": "son JSON est trop imbriqué",
    "its JSON cannot be read": "son JSON est illisible",
    "`{}` is no name of an argument": "`{}` n'est pas un nom d'argument",
    "the argument `{}` is no plain value": "l'argument `{}` n'est pas une valeur simple",
    # what may not be run
    "the answer has {} calls, and {} are the most": "la réponse contient {} appels, et {} au plus sont permis",
    "another call of this answer is broken": "un autre appel de cette réponse est illisible",
    "it stands inside text: an answer is text, or calls and nothing else": (
        "l'appel est au milieu d'un texte : une réponse est un texte, ou des appels et rien d'autre"
    ),
    "there is no such tool": "cet outil n'existe pas",
    "it has no argument `{}`": "il n'a pas d'argument `{}`",
    "its argument `{}` is missing": "son argument `{}` manque",
    "`{}`: {}": "`{}` : {}",
    # what is no value
    "it holds U+{}, which changes the order in which it is read": "elle contient U+{}, qui change le sens de lecture",
    "it holds the control character U+{}": "elle contient le caractère de contrôle U+{}",
    "it is empty": "elle est vide",
    "it is no whole number": "ce n'est pas un nombre entier",
    "it is no number": "ce n'est pas un nombre",
    "it is less than {}": "c'est moins que {}",
    "it is more than {}": "c'est plus que {}",
    "it is none of {}": "ce n'est aucune de ces valeurs : {}",
    "it is no day: 2026-11-27, demain, lundi": "ce n'est pas un jour : 2026-11-27, demain, lundi",
    "it is no time of day: 18:30, 18h": "ce n'est pas une heure : 18:30, 18h",
    # what is no place in the folder
    "it is written with letters that another system reads otherwise": "un autre système en lirait autrement les lettres",
    "it holds a character that cannot be seen": "un de ses caractères est invisible",
    'a path is written with `/`, and without any of \\ : * ? " < > |': (
        "un chemin s'écrit avec `/`, et sans aucun de \\ : * ? \" < > |"
    ),
    "it does not begin in the folder": "il ne part pas du dossier",
    "it leads out of the folder, or nowhere": "il sort du dossier, ou ne mène nulle part",
    "it leads out of the folder": "il sort du dossier",
    "`{}` ends with a dot, or has spaces at its ends": "`{}` finit par un point, ou a des espaces aux extrémités",
    "`{}` is a name that some systems keep for themselves": "`{}` est un nom que certains systèmes se réservent",
    "`{}` is no folder, or a link": "`{}` n'est pas un dossier, ou est un lien",
    "`{}` is no plain file, or a link": "`{}` n'est pas un simple fichier, ou est un lien",
    "`{}` is no plain file": "`{}` n'est pas un simple fichier",
    "`{}` cannot be opened as a plain file: {}": "`{}` ne s'ouvre pas comme un simple fichier : {}",
    # what failed
    "{} is no text": "{} n'est pas un texte",
    "the time is not between 0 and 10,080 minutes": "la durée n'est pas entre 0 et 10 080 minutes",
    "the expression is longer than {} characters": "l'expression dépasse {} caractères",
    "a number is divided by zero": "une division par zéro",
    "`{}` is no sum that can be done": "`{}` ne se calcule pas",
    "`{}` would be read as an option": "`{}` serait pris pour une option",
    "it holds a NUL": "elle contient un NUL",
    "{} ended with {}: {}": "{} s'est terminé avec {} : {}",
}
NUMBER = re.compile(r"\d{1,3}(,\d{3})+")


def _patterns(table):
    return [(re.compile("(.*?)".join(map(re.escape, said.split("{}"))), re.DOTALL), other) for said, other in table.items()]


PATTERNS = {"fr": _patterns(FRENCH)}


def told(why, language):
    """A reason in a language; what nobody translated stays as it is."""
    for pattern, other in PATTERNS.get(language, ()):
        found = pattern.fullmatch(why)
        if found is not None:
            return other.format(*(_part(each, language) for each in found.groups()))
    return why


def _part(text, language):
    return text.replace(",", "\u202f") if NUMBER.fullmatch(text) else told(text, language)
