"""The words in which a person limits something, without accents: English, German, French, Spanish."""

from __future__ import annotations

SYNONYMS = {
    "learning_rate": (
        "lr", "step size", "lernrate", "lernraten", "schrittweite", "taux d'apprentissage", "tasa de aprendizaje",
        "tasas de aprendizaje",
    ),
    "max_depth": (
        "maximum depth", "maximal depth", "tree depth", "depth", "tiefe", "baumtiefe", "maximale tiefe", "profondeur",
        "profondeur maximale", "profundidad", "profundidad maxima",
    ),
    "num_leaves": ("number of leaves", "leaves", "blatter", "feuilles", "hojas"),
    "hidden_layers": ("layers", "number of layers", "schichten", "couches", "capas"),
    "hidden_size": ("units", "hidden units", "neurons", "neuronen", "neurones", "neuronas"),
    "batch_size": ("batch", "batches", "batchgrosse", "taille de lot", "taille des lots", "tamano de lote"),
    "n_neighbors": ("neighbors", "neighbours", "nachbarn", "voisins", "vecinos"),
    "class_weight": ("class weighting", "klassengewicht", "klassengewichte", "poids des classes", "peso de clases"),
}  # fmt: skip
"""What people call hyperparameters, beside their names on the Model Cards."""

TREES = ("trees", "tree", "baume", "baumen", "arbres", "arbre", "arboles", "arbol")
TREE_SIZES = ("max_depth", "num_leaves")
"""What a larger or a deeper tree is made of."""

AT_MOST = (
    "at most", "no more than", "not more than", "no higher than", "not above", "not over", "up to", "maximum",
    "maximal", "max", "<=", "=<", "≤", "hochstens", "nicht uber", "nicht mehr als", "bis zu", "au plus", "au maximum",
    "pas plus de", "como maximo", "como mucho", "a lo sumo", "no mas de",
)  # fmt: skip
BELOW = (
    "below", "under", "less than", "fewer than", "smaller than", "lower than", "<", "unter", "unterhalb von",
    "kleiner als", "weniger als", "niedriger als", "geringer als", "moins de", "sous", "en dessous de",
    "inferieure? a", "menos de", "menor que", "menor de", "inferior a", "por debajo de",
)  # fmt: skip
AT_LEAST = (
    "at least", "no less than", "not less than", "not below", "not under", "minimum", "min", ">=", "=>", "≥",
    "mindestens", "nicht unter", "nicht weniger als", "au moins", "au minimum", "pas moins de", "al menos",
    "por lo menos", "como minimo", "no menos de",
)  # fmt: skip
ABOVE = (
    "above", "over", "more than", "greater than", "larger than", "higher than", "bigger than", ">", "uber",
    "oberhalb von", "grosser als", "mehr als", "hoher als", "plus de", "au-dessus de", "superieure? a", "mas de",
    "mayor que", "mayor de", "superior a", "por encima de",
)  # fmt: skip
"""Words before an end of a range. What is below or above a whole number leaves that number out."""

LESS = (
    "smaller", "lower", "less", "fewer", "reduced?", "decreased?", "kleinere?[nrsm]?", "niedrigere?[nrsm]?",
    "geringere?[nrsm]?", "weniger", "moins de", "plus petite?s?", "plus bas(?:se)?s?", "plus faibles?", "reduis",
    "menos", "menor(?:es)?", "mas pequen[oa]s?", "mas baj[oa]s?",
)  # fmt: skip
MORE = (
    "larger", "higher", "bigger", "greater", "more", "increased?", "grossere?[nrsm]?", "hohere?[nrsm]?", "mehr",
    "plus de", "plus grande?s?", "plus hauts?", "plus elevee?s?", "augmente", "mas", "mayor(?:es)?", "mas grandes?",
    "mas alt[oa]s?",
)  # fmt: skip
FLATTER = (
    "smaller", "shallower", "flatter", "simpler", "kleinere?[nr]?", "flachere?[nr]?", "plus petits?",
    "moins profonds?", "mas pequenos?", "menos profundos?",
)  # fmt: skip
DEEPER = (
    "larger", "deeper", "bigger", "grossere?[nr]?", "tiefere?[nr]?", "plus grands?", "plus profonds?", "mas grandes?",
    "mas profundos?",
)  # fmt: skip
"""Comparisons with what there is: of any hyperparameter, and of trees."""

ANY = (
    "any", "no limits? (?:on|for)", "unlimited", "beliebige?[nrs]?", "keine? grenzen? fur", "n'importe quelle?",
    "pas de limite (?:a|au|pour)", "cualquier", "sin limites? (?:de|para)",
)  # fmt: skip
NEVER = ("not", "no", "don't", "dont", "never", "without", "nicht", "kein", "keine", "keinen", "nie", "pas", "ne",
         "jamais", "sin", "nunca", "tampoco")  # fmt: skip
TRY = (
    "try", "tries", "test", "start", "versuch", "versuche", "probier", "probiere", "teste", "essaie", "essaye",
    "prueba", "probar", "use", "take", "nimm", "utilise", "usa", "train", "trainiere", "entraine", "entrena",
)  # fmt: skip
"""A value that is tried is no limit."""
ONLY = ("only", "just", "nur", "seulement", "uniquement", "solo", "solamente")

_ENGLISH = "a an the of for in with is are be should must shall to at on set values value it its stay keep limit s"
_GERMAN = "der die das den dem des ein eine einer von vom fur bei mit ist soll sollte muss darf auf sein bleibt werte"
_FRENCH = "le la les l d de du des un une pour avec en est doit etre reste valeur valeurs entre"
_SPANISH = "el los las del para con una que sea ser debe valor valores desde entre"
FILLERS = frozenset([*f"{_ENGLISH} between from {_GERMAN} zwischen {_FRENCH} {_SPANISH}".split(), *TREES])
"""Words that may stand between a hyperparameter and its end without changing the sense."""

JOINED = ("and", "to", "und", "bis", "et", "a", "y", "hasta", "-", "–")
"""Between the two ends of a range."""
CLAUSES = ("and", "but", "und", "aber", "et", "mais", "y", "pero")
NOT_AFTER = (
    r"\s*(?:%|trials?|versuche?n?|essais?|ensayos?|pruebas?|[mk]b|s|m|h|min|minute\w*|minuto\w*|se[ck]\w*|stunde\w*"
    r"|hours?|heures?|horas?)(?!\w)"
)
AND_MORE = r"\s*(?:or|oder|ou|o|and|und|et|y)\s*\d"
"""What stands after a number that is no value of a hyperparameter, or not the only one."""

MEGABYTES = {
    "b": 1e-6, "byte": 1e-6, "bytes": 1e-6, "kb": 1e-3, "ko": 1e-3, "kilobytes?": 1e-3, "kib": 1.024e-3,
    "mb": 1.0, "mo": 1.0, "mega": 1.0, "megabytes?": 1.0, "megaoctets?": 1.0, "mib": 1.048576,
    "gb": 1e3, "go": 1e3, "gigabytes?": 1e3, "gib": 1.073741824e3,
}  # fmt: skip
"""Units of size in megabytes."""
MEMORY = ("memory", "ram", "arbeitsspeicher", "memoire", "memoria", "files?", "dateien?", "fichiers?", "archivos?",
          "rows?", "data", "daten")  # fmt: skip
"""Sizes of these are not the model's."""
SPEED_UNITS = {
    "ms": 1e-3, "milliseconds?": 1e-3, "millisekunden?": 1e-3, "millisecondes?": 1e-3, "milisegundos?": 1e-3,
    "s": 1.0, "sec": 1.0, "seconds?": 1.0, "sekunden?": 1.0, "sek": 1.0, "secondes?": 1.0, "segundos?": 1.0,
}  # fmt: skip
"""Units of time in seconds."""
EVERY = ("per", "for", "pro", "fur", "je", "par", "pour", "por", "para")
