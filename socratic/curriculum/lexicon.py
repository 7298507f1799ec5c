"""The words that problems are dressed in: people, plain words and nouns.

In: nothing. Out: `Person`, `Noun`, `PEOPLE`, `WORDS`, `NOUNS`, and `spell` for numbers in words.
A new list is one more entry here; families name lists by their key. Knows nothing of families or of drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Sex = Literal["f", "m"]

PRONOUNS: Final[dict[Sex, dict[str, str]]] = {
    "f": {"he": "she", "him": "her", "his": "her"},
    "m": {"he": "he", "him": "him", "his": "his"},
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a problem."""

    name: str
    sex: Sex

    def pronoun(self, form: str) -> str:
        """The pronoun for "he", "him" or "his"; with its capital for "He", "Him" or "His"."""
        word = PRONOUNS[self.sex][form.lower()]
        return word.capitalize() if form[0].isupper() else word


@dataclass(frozen=True, slots=True)
class Noun:
    """Something that can be counted."""

    one: str
    many: str


def _people(sex: Sex, names: str) -> tuple[Person, ...]:
    return tuple(Person(name, sex) for name in names.split())


def _nouns(specs: str) -> tuple[Noun, ...]:
    return tuple(_noun(spec.replace("~", " ")) for spec in specs.split())


def _noun(spec: str) -> Noun:
    """Read "peach:es" (ending) or "goose|geese" (whole plural); "~" stands for a space."""
    one, colon, ending = spec.partition(":")
    if colon:
        return Noun(one, one + ending)
    one, _, many = spec.partition("|")
    return Noun(one, many)


PEOPLE: Final[dict[Sex, tuple[Person, ...]]] = {
    "f": _people(
        "f",
        """Mia Ana Zoe Lily Nora Emma Ruth Sara Julia Clara Maya Leah Ivy Alice Grace Ella Hannah Rosa Elena Carmen Lucia
        Sofia Paula Ines Amina Fatima Leila Yasmin Zainab Aisha Priya Anjali Meera Divya Lakshmi Mei Ling Yuki Sakura Hana
        Akiko Ji-woo Min-ji Thuy Linh Chidi Ngozi Adaeze Amara Zola Thandi Wanjiru Olga Irina Katya Svetlana Agnieszka Zofia
        Ingrid Freya Astrid Bridget Siobhan Niamh Chloe Margot Camille Giulia Chiara Bianca Tamara Dalia Noor Rania Esther
        Miriam Naomi Abigail Tessa Kendra Latoya Keisha Jasmine Alondra Marisol Xiomara Wren Hazel Penny Daisy Martha Edith
        Gwen Judy Holly April June Diane Carol Lisa Megan Paige Kelly Tina Wendy""",
    ),
    "m": _people(
        "m",
        """Tom Ben Sam Leo Max Jack Noah Ethan Owen Luke Mark Paul Peter Simon David Daniel Carlos Diego Mateo Luis Javier
        Pablo Rafael Omar Yusuf Ali Hassan Karim Tariq Bilal Ravi Arjun Vikram Sanjay Rohan Wei Jun Hiro Kenji Takeshi
        Min-jun Seo-jun Quang Minh Kofi Kwame Chike Emeka Tunde Sipho Thabo Juma Ivan Dmitri Sergei Pavel Jakub Piotr Lars
        Erik Bjorn Sean Liam Conor Declan Hugo Louis Pierre Marco Luca Matteo Andrei Stefan Elias Samir Ibrahim Isaac Joel
        Caleb Aaron Tyrone Darnell Jamal Marcus Andre Hector Ramon Victor Frank George Henry Walter Oscar Felix Jasper Theo
        Gus Ned Roy Carl Dean Kyle Brad Greg Todd Wayne Neil Ian""",
    ),
}

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "month": tuple("January February March April May June July August September October November December".split()),
    "color": tuple("red blue green yellow purple orange white black brown pink gray silver".split()),
    "city": tuple(
        """Lisbon Nairobi Oslo Lima Denver Hanoi Cairo Dublin Osaka Quito Dallas Turin Perth Lagos Seville Bergen Tucson Busan
        Izmir Leeds""".split()
    ),
    "shop": (
        "the bakery",
        "the market",
        "the toy store",
        "the corner shop",
        "the bookstore",
        "the hardware store",
        "the garden center",
        "the gift shop",
        "the department store",
        "the farm stand",
    ),
    "relative": (
        "brother",
        "sister",
        "cousin",
        "neighbor",
        "best friend",
        "grandmother",
        "grandfather",
        "aunt",
        "uncle",
        "teammate",
        "classmate",
        "roommate",
    ),
    "sport": tuple("soccer basketball volleyball tennis hockey baseball rugby badminton handball softball".split()),
    "subject": tuple("math history science geography art music English biology chemistry reading".split()),
}

NOUNS: Final[dict[str, tuple[Noun, ...]]] = {
    kind: _nouns(specs)
    for kind, specs in {
        "fruit": """apple:s orange:s banana:s pear:s peach:es plum:s mango:es lemon:s lime:s kiwi:s apricot:s grapefruit:s melon:s
            coconut:s fig:s""",
        "vegetable": """carrot:s potato:es onion:s tomato:es cucumber:s pumpkin:s beet:s radish:es pepper:s eggplant:s cabbage:s
            turnip:s""",
        "animal": """cow:s goat:s horse:s chicken:s duck:s pig:s rabbit:s dog:s cat:s turkey:s llama:s donkey:s pony|ponies
            goose|geese sheep|sheep""",
        "wild": """lion:s monkey:s parrot:s flamingo:s penguin:s zebra:s giraffe:s elephant:s turtle:s seal:s owl:s frog:s
            butterfly|butterflies fox:es wolf|wolves""",
        "toy": """marble:s doll:s ball:s puzzle:s kite:s robot:s yo-yo:s teddy~bear:s toy~car:s toy~train:s sticker:s balloon:s
            card:s game:s block:s""",
        "sweet": """candy|candies cookie:s cupcake:s lollipop:s brownie:s muffin:s donut:s chocolate:s gumdrop:s mint:s caramel:s
            pastry|pastries""",
        "food": """sandwich:es pizza:s burger:s taco:s pie:s pancake:s bagel:s salad:s pretzel:s hot~dog:s waffle:s burrito:s""",
        "clothing": """shirt:s hat:s scarf|scarves sweater:s jacket:s dress:es skirt:s tie:s belt:s cap:s coat:s vest:s""",
        "supply": """pencil:s pen:s eraser:s notebook:s crayon:s marker:s folder:s ruler:s binder:s stapler:s glue~stick:s
            highlighter:s""",
        "flower": """rose:s tulip:s lily|lilies daisy|daisies sunflower:s orchid:s violet:s carnation:s poppy|poppies
            daffodil:s""",
        "tree": """oak:s pine:s maple:s apple~tree:s palm:s birch:es cherry~tree:s willow:s cedar:s olive~tree:s""",
        "container": """box:es bag:s basket:s crate:s jar:s carton:s bucket:s tray:s bin:s packet:s case:s tin:s""",
        "vehicle": """car:s truck:s bus:es van:s bicycle:s motorcycle:s taxi:s scooter:s tractor:s boat:s""",
        "book": """book:s magazine:s comic:s novel:s newspaper:s atlas:es cookbook:s diary|diaries""",
        "tool": """hammer:s screwdriver:s wrench:es saw:s drill:s ladder:s shovel:s rake:s paintbrush:es nail:s""",
        "furniture": """chair:s table:s desk:s lamp:s shelf|shelves bed:s sofa:s stool:s bench:es cabinet:s""",
        "craft": """bead:s button:s ribbon:s bracelet:s necklace:s candle:s painting:s quilt:s basket:s card:s ornament:s
            vase:s""",
        "person_kind": """student:s teacher:s player:s worker:s visitor:s guest:s passenger:s customer:s child|children adult:s
            volunteer:s tourist:s dancer:s nurse:s""",
        "collectible": """stamp:s coin:s shell:s badge:s postcard:s trading~card:s rock:s key~chain:s medal:s figurine:s""",
        "drink": """coffee:s tea:s juice:s lemonade:s smoothie:s milkshake:s soda:s cocoa:s""",
    }.items()
}

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen""".split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def spell(number: int) -> str:
    """A number below a million in words, without "and": `spell(125)` is "one hundred twenty-five"."""
    if number < 0:
        return f"minus {spell(-number)}"
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = f" {spell(number % size)}" if number % size else ""
    return f"{spell(number // size)} {name}{rest}"
