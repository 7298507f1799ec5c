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
        """Mia Ana Zoe Nora Emma Ruth Sara Julia Clara Maya Leah Alice Ella Hannah Rosa Elena Carmen Lucia Sofia Paula Ines Amina
        Fatima Leila Yasmin Zainab Aisha Priya Anjali Meera Divya Lakshmi Mei Ling Yuki Sakura Hana Akiko Ji-yeon Min-ji Thuy
        Linh Ngozi Adaeze Amara Zola Thandi Wanjiru Olga Irina Katya Svetlana Agnieszka Zofia Ingrid Freya Astrid Bridget
        Siobhan Niamh Chloe Margot Celine Giulia Chiara Bianca Tamara Dalia Noor Rania Esther Miriam Naomi Abigail Tessa
        Kendra Latoya Keisha Alondra Marisol Xiomara Martha Edith Gwen Judy Lisa Diane Megan Kelly Tina Wendy Olivia Sophie
        Charlotte Amelia Evelyn Eleanor Harriet Matilda Beatrice Josephine Rebecca Rachel Deborah Susan Karen Linda Nancy
        Helen Sandra Michelle Laura Angela Melissa Nicole Stephanie Cynthia Kathleen Emily Samantha Katherine Janet Theresa
        Cheryl Jacqueline Lauren Danielle Irene Vanessa Monica Valerie Veronica Jessica Natalie Vivian Audrey Phoebe Imogen
        Rosalind Sylvia Lydia Fiona Moira Catriona Rhiannon Bronwyn Carys Sinead Aoife Orla Deirdre Maeve Valentina Camila
        Gabriela Isabella Daniela Mariana Alejandra Fernanda Ximena Yolanda Beatriz Graciela Leticia Rocio Silvia Catalina
        Manuela Raquel Nerea Joana Leonor Larissa Luana Francesca Martina Alessia Federica Ilaria Elisa Giovanna Antonella
        Amelie Juliette Manon Elodie Mathilde Colette Genevieve Solange Brigitte Yvette Delphine Greta Heidi Ursula Katrin
        Sabine Birgit Renate Svenja Marieke Femke Saskia Solveig Sigrid Kirsten Tove Signe Linnea Ebba Annika Helga Aino Kaisa
        Tuuli Tatiana Natasha Ludmila Galina Oksana Nadia Daria Polina Milena Jelena Ivana Zuzana Lenka Marketa Kasia
        Malgorzata Halina Danuta Desislava Eleni Despina Ioanna Dimitra Katalin Ildiko Eszter Mihaela Roxana Raluca Ayse Elif
        Zeynep Emine Esra Salma Huda Samira Khadija Maryam Hanan Layla Farah Dina Reem Safiya Basma Shirin Parisa Nasrin
        Azadeh Niloufar Kavita Sunita Pooja Neha Shreya Ananya Aditi Rekha Nandini Radha Usha Swati Ishita Kavya Sneha Geeta
        Sadia Farzana Rukhsana Tahmina Hui-min Xiaoli Meiling Yating Jiayi Xinyi Yuting Lihua Haruka Yumi Keiko Naoko Sachiko
        Emiko Noriko Ayumi Kaori Misaki Mariko Tomoko Soo-jin Eun-ji Hye-jin Yeon-hee Mi-kyung Huong Phuong Trang Ngoc Tuyet
        Malee Pornthip Siriporn Wanida Maricel Ligaya Analyn Dewi Siti Wulan Ratna Putri Lestari Chiamaka Ifeoma Nkechi Folake
        Yetunde Bukola Funmilayo Akosua Abena Efua Adwoa Nomvula Lindiwe Nokuthula Thembi Zanele Lerato Palesa Naledi Wangari
        Njeri Akinyi Atieno Halima Neema Zuhura Rehema Aminata Fatou Mariama Binta Tigist Hiwot Meseret Almaz Chipo Rutendo
        Leilani Aroha Marama Hinemoa Shira Tamar Rivka Yael Talia Ayelet Liora Shoshana""",
    ),
    "m": _people(
        "m",
        """Tom Ben Sam Leo Noah Ethan Owen Luke Paul Peter Simon David Daniel Carlos Diego Mateo Luis Javier Pablo Rafael Omar
        Yusuf Ali Hassan Karim Tariq Bilal Ravi Arjun Vikram Sanjay Rohan Wei Jun Hiro Kenji Takeshi Min-jun Seo-jun Quang
        Minh Kofi Kwame Chidi Chike Emeka Tunde Sipho Thabo Juma Ivan Dmitri Sergei Pavel Jakub Piotr Lars Erik Bjorn Sean
        Liam Conor Declan Hugo Louis Pierre Marco Luca Matteo Andrei Stefan Elias Samir Ibrahim Isaac Joel Caleb Aaron Tyrone
        Darnell Jamal Marcus Andre Hector Ramon George Henry Walter Oscar Felix Theo Gus Ned Roy Carl Kyle Brad Greg Todd
        Wayne Neil Ian James John Robert Michael William Richard Joseph Thomas Charles Christopher Matthew Anthony Andrew
        Joshua Kenneth Kevin Brian Timothy Ronald Edward Jason Jeffrey Ryan Jacob Gary Nicholas Jonathan Stephen Brandon
        Benjamin Samuel Gregory Alexander Patrick Raymond Dennis Nathan Zachary Douglas Harold Gerald Keith Lawrence Albert
        Gabriel Alan Wesley Vincent Eugene Russell Philip Arthur Edgar Alfred Ernest Leonard Stanley Theodore Sebastian Julian
        Adrian Dominic Tobias Elijah Gideon Ezra Silas Amos Rufus Quentin Rupert Nigel Trevor Gareth Rhys Dylan Evan Angus
        Callum Fergus Hamish Duncan Malcolm Cormac Eamon Ciaran Brendan Niall Jose Juan Miguel Antonio Alejandro Fernando
        Eduardo Ricardo Roberto Sergio Manuel Enrique Raul Alberto Jorge Emilio Ignacio Joaquin Gustavo Rodrigo Esteban
        Gonzalo Ernesto Lorenzo Joao Tiago Vasco Duarte Nuno Afonso Caio Leandro Alessandro Giovanni Giuseppe Davide Stefano
        Paolo Riccardo Fabio Enzo Massimo Gianluca Claudio Antoine Etienne Guillaume Mathieu Julien Laurent Thierry Didier
        Yves Marcel Bastien Lucien Emile Hans Klaus Jurgen Wolfgang Dieter Matthias Florian Niklas Torsten Jens Sven Anders
        Magnus Olaf Gunnar Leif Mikkel Rasmus Soren Henrik Pieter Willem Joost Maarten Antti Eero Pekka Mikko Aleksei Nikolai
        Vladimir Mikhail Boris Igor Oleg Yuri Anton Konstantin Bogdan Taras Wojciech Krzysztof Tomasz Marek Andrzej Zoran
        Goran Dragan Nenad Jovan Petar Ondrej Radek Dimitar Kiril Nikos Yannis Kostas Giorgos Stavros Laszlo Istvan Gabor
        Zoltan Attila Radu Mihai Ionut Mehmet Mustafa Emre Murat Kemal Serkan Burak Orhan Ahmed Mohammed Mahmoud Khalid
        Abdullah Hamza Faisal Nasser Rashid Salim Walid Ziad Munir Imran Idris Anwar Marwan Reza Dariush Behrouz Farhad Kaveh
        Navid Siavash Arash Rahul Amit Rajesh Suresh Anil Sunil Vijay Ashok Deepak Manoj Prakash Ramesh Gopal Aditya Nikhil
        Karthik Pranav Naveen Siddharth Varun Dinesh Vivek Asif Shahid Farooq Nadeem Zahid Haoran Zihao Yichen Junjie Guowei
        Jianhong Xiaoming Weimin Zhiqiang Haoyu Tianyu Haruto Daichi Ryota Satoshi Kazuo Yusuke Daisuke Shinji Koji Masao
        Naoki Akira Dong-hyun Sung-ho Hyun-woo Jae-sung Kyung-soo Woo-jin Tuan Khoa Phuc Thanh Hieu Trung Somchai Kittisak
        Prasert Chaiwat Niran Bayani Crisanto Budi Agus Bambang Wayan Joko Hendra Slamet Obinna Ikenna Chinedu Nnamdi Olumide
        Babajide Segun Kunle Kwabena Kojo Kwaku Kwesi Mandla Themba Bongani Siyabonga Tshepo Kagiso Sizwe Kamau Mwangi Njoroge
        Otieno Ochieng Odhiambo Baraka Jabari Hamisi Mamadou Ousmane Moussa Cheikh Amadou Boubacar Seydou Abebe Tesfaye Dawit
        Bekele Girma Keanu Kekoa Wiremu Hemi Moshe Yosef Eitan Noam Shmuel Baruch Yehuda Asher""",
    ),
}

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "month": tuple("January February March April May June July August September October November December".split()),
    "color": tuple("red blue green yellow purple orange white black brown pink gray silver".split()),
    "city": tuple(
        """Lisbon Nairobi Oslo Lima Denver Hanoi Cairo Dublin Osaka Quito Dallas Turin Perth Lagos Seville Bergen Tucson Busan
        Izmir Leeds Madrid Vienna Prague Athens Boston Chicago Seattle Houston Toronto Montreal Melbourne Auckland Mumbai Jakarta
        Manila Havana Accra Kampala Dakar Tunis Zagreb Krakow Helsinki Stockholm Porto Naples Geneva Bristol Glasgow Kyoto Taipei
        Hamburg Munich Warsaw Durban""".split()
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
        "the supermarket",
        "the grocery store",
        "the flea market",
        "the stationery store",
        "the thrift shop",
        "the craft store",
        "the pet store",
        "the music store",
        "the village shop",
        "the museum shop",
        "the general store",
        "the shopping mall",
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
        "mother",
        "father",
        "niece",
        "nephew",
        "older brother",
        "older sister",
        "stepbrother",
        "stepsister",
        "godmother",
        "godfather",
        "coworker",
        "pen pal",
    ),
    # "a {sport} team", "a {subject} lesson": no word of these lists begins with a vowel
    "sport": (
        *"soccer basketball volleyball tennis hockey baseball rugby badminton handball softball".split(),
        *"football cricket lacrosse netball floorball dodgeball kickball futsal pickleball".split(),
        "water polo",
        "table tennis",
    ),
    "subject": (
        *"math history science geography music biology chemistry reading".split(),
        *"physics Spanish French German Latin literature drama civics geometry spelling".split(),
        "social studies",
        "computer science",
    ),
}

NOUNS: Final[dict[str, tuple[Noun, ...]]] = {
    kind: _nouns(specs)
    for kind, specs in {
        "fruit": """apple:s orange:s banana:s pear:s peach:es plum:s mango:es lemon:s lime:s kiwi:s apricot:s grapefruit:s melon:s
            coconut:s fig:s nectarine:s papaya:s pineapple:s pomegranate:s tangerine:s clementine:s mandarin:s guava:s
            persimmon:s quince:s cantaloupe:s plantain:s avocado:s lychee:s honeydew:s passion~fruit:s""",
        "vegetable": """carrot:s potato:es onion:s tomato:es cucumber:s pumpkin:s beet:s radish:es pepper:s eggplant:s cabbage:s
            turnip:s zucchini:s squash:es leek:s parsnip:s artichoke:s cauliflower:s sweet~potato:es shallot:s rutabaga:s
            kohlrabi:s gourd:s yam:s""",
        "animal": """cow:s goat:s horse:s chicken:s duck:s pig:s rabbit:s dog:s cat:s turkey:s llama:s donkey:s pony|ponies
            goose|geese sheep|sheep mule:s camel:s swan:s pigeon:s peacock:s pheasant:s quail:s yak:s guinea~pig:s
            reindeer|reindeer deer|deer bison|bison ferret:s hamster:s partridge:s""",
        "wild": """lion:s monkey:s parrot:s flamingo:s penguin:s zebra:s giraffe:s elephant:s turtle:s seal:s owl:s frog:s
            butterfly|butterflies fox:es wolf|wolves tiger:s bear:s hippo:s rhino:s kangaroo:s koala:s panda:s crocodile:s
            lizard:s gorilla:s cheetah:s leopard:s camel:s toucan:s pelican:s otter:s""",
        "toy": """marble:s doll:s ball:s puzzle:s kite:s robot:s yo-yo:s teddy~bear:s toy~car:s toy~train:s sticker:s balloon:s
            card:s game:s block:s puppet:s whistle:s drum:s boomerang:s pinwheel:s spinning~top:s jump~rope:s hula~hoop:s
            rubber~duck:s toy~soldier:s toy~boat:s toy~truck:s toy~plane:s plastic~dinosaur:s stuffed~rabbit:s""",
        "sweet": """candy|candies cookie:s cupcake:s lollipop:s brownie:s muffin:s donut:s chocolate:s gumdrop:s mint:s caramel:s
            pastry|pastries scone:s macaroon:s biscuit:s jelly~bean:s gummy~bear:s truffle:s wafer:s tart:s toffee:s
            marshmallow:s cinnamon~roll:s cream~puff:s""",
        "food": """sandwich:es pizza:s burger:s taco:s pie:s pancake:s bagel:s salad:s pretzel:s hot~dog:s waffle:s burrito:s
            quesadilla:s dumpling:s sausage:s samosa:s spring~roll:s empanada:s kebab:s crepe:s calzone:s corn~dog:s
            tamale:s baked~potato:es""",
        "clothing": """shirt:s hat:s scarf|scarves sweater:s jacket:s dress:es skirt:s tie:s belt:s cap:s coat:s vest:s blouse:s
            cardigan:s poncho:s robe:s sweatshirt:s T-shirt:s tunic:s shawl:s raincoat:s bandana:s hoodie:s gown:s""",
        "supply": """pencil:s pen:s eraser:s notebook:s crayon:s marker:s folder:s ruler:s binder:s stapler:s glue~stick:s
            highlighter:s notepad:s pencil~case:s sharpener:s clipboard:s calculator:s protractor:s compass:es
            index~card:s felt~pen:s sketchpad:s paper~clip:s envelope:s""",
        "flower": """rose:s tulip:s lily|lilies daisy|daisies sunflower:s orchid:s violet:s carnation:s poppy|poppies daffodil:s
            iris:es peony|peonies marigold:s pansy|pansies petunia:s geranium:s hyacinth:s crocus:es snapdragon:s dahlia:s
            zinnia:s""",
        "tree": """oak:s pine:s maple:s apple~tree:s palm:s birch:es cherry~tree:s willow:s cedar:s olive~tree:s elm:s beech:es
            spruce:s fir:s poplar:s cypress:es larch:es magnolia:s sycamore:s pear~tree:s plum~tree:s""",
        "container": """box:es bag:s basket:s crate:s jar:s carton:s bucket:s tray:s bin:s packet:s case:s tin:s sack:s bowl:s
            barrel:s chest:s pouch:es tub:s pail:s hamper:s trunk:s package:s canister:s tote~bag:s""",
        "vehicle": """car:s truck:s bus:es van:s bicycle:s motorcycle:s taxi:s scooter:s tractor:s boat:s minivan:s moped:s tram:s
            ferry|ferries trailer:s wagon:s helicopter:s fire~truck:s snowplow:s train:s""",
        "book": """book:s magazine:s comic:s novel:s newspaper:s atlas:es cookbook:s diary|diaries textbook:s workbook:s
            storybook:s picture~book:s dictionary|dictionaries biography|biographies guidebook:s songbook:s""",
        "tool": """hammer:s screwdriver:s wrench:es saw:s drill:s ladder:s shovel:s rake:s paintbrush:es nail:s chisel:s mallet:s
            hoe:s spade:s trowel:s clamp:s crowbar:s hatchet:s pitchfork:s tape~measure:s""",
        "furniture": """chair:s table:s desk:s lamp:s shelf|shelves bed:s sofa:s stool:s bench:es cabinet:s bookcase:s dresser:s
            nightstand:s wardrobe:s cupboard:s rocking~chair:s coffee~table:s footstool:s recliner:s bunk~bed:s""",
        "craft": """bead:s button:s ribbon:s bracelet:s necklace:s candle:s painting:s quilt:s basket:s card:s ornament:s vase:s
            pillow:s wreath:s dreamcatcher:s potholder:s mosaic:s coaster:s puppet:s bookmark:s lantern:s brooch:es rug:s
            wind~chime:s""",
        "person_kind": """student:s teacher:s player:s worker:s visitor:s guest:s passenger:s customer:s child|children adult:s
            volunteer:s tourist:s dancer:s nurse:s hiker:s runner:s singer:s actor:s farmer:s driver:s swimmer:s camper:s
            musician:s scout:s pupil:s artist:s baker:s gardener:s""",
        "collectible": """stamp:s coin:s shell:s badge:s postcard:s trading~card:s rock:s key~chain:s medal:s figurine:s crystal:s
            fossil:s bottle~cap:s magnet:s poster:s patch:es token:s snow~globe:s feather:s pebble:s""",
        "drink": """coffee:s tea:s juice:s lemonade:s smoothie:s milkshake:s soda:s cocoa:s latte:s cider:s punch:es
            hot~chocolate:s iced~tea:s root~beer:s ginger~ale:s orange~juice:s""",
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
