"""Sentences that problems are dressed with: asides that do not matter, openings and closings.

In: nothing. Out: `ASIDES`, lists of sentences by the words that keep them off a problem, `OPENINGS` and `CLOSINGS`.
An aside may say `{n}`, a number from the range before it; `{p}`, somebody new; `{c}`, a city. Nobody else is in one, or
"she" could be meant for them, and no word that stands for a number is ("both", "weekend").
Knows nothing of problems, or of where a sentence goes.
"""

from __future__ import annotations

from typing import Final

ASIDES: Final[dict[str, str]] = {
    # weather
    "month day weather degree temperature thermometer warm cold cool hot heat rain snow wind storm sun cloud dry wet ice": """
        8..34 The forecast says {n} degrees for tomorrow.
        9..33 In {c} it was {n} degrees yesterday.
        31..43 The hottest day of last summer had {n} degrees.
        11..24 Last March it rained on {n} days.
        14..62 The wind blew at {n} miles an hour last night.
        3..9 It snowed on {n} days last January.
        It had rained all night.
        A light wind was blowing.
        The sky was gray, but it stayed dry.
        It was a bright and sunny morning.
        There was fog over the river until noon.
        The snow in the mountains had just melted.
        It was raining in {c}.""",
    # age
    "age old year born birth young ago grown adult": """
        23..79 {p}, who lives next door, is {n} years old.
        24..71 {p} turned {n} last week.
        21..64 A neighbor named {p} is {n} years old.
        22..68 {p} from the post office is {n} years old.
        31..98 The tallest tree in the park is {n} years old.
        16..95 The school building is {n} years old.
        12..49 {p}'s parrot is {n} years old.
        {p} will have a birthday next month.""",
    # history
    "year century ago built old age histor date calendar founded": """
        1871..1989 The town hall was built in {n}.
        1902..1994 The bridge over the river was opened in {n}.
        1881..1959 The first train reached {c} in {n}.
        1911..1996 The local newspaper was founded in {n}.
        1923..1998 A great storm hit the coast in {n}.
        1890..1979 The bell of the church was made in {n}.
        The old lighthouse is no longer in use.""",
    # buildings
    "window floor room door stair step building house home school library hotel wall tower hall office roof elevator": """
        14..96 The town hall has {n} windows.
        11..38 The tallest building in {c} has {n} floors.
        35..240 The old tower has {n} steps.
        22..68 The new hotel by the lake has {n} rooms.
        12..46 The hospital in {c} has {n} doors.
        101..499 {p} is staying in hotel room {n}.
        3..9 The barn has {n} doors.
        2..7 The library has {n} floors.
        The library was painted last spring.
        The church bells were ringing.
        The elevator in the town hall was out of order.
        The door of the garage is green.
        The roof of the barn needs new paint.""",
    # addresses and lockers
    "live street house address number neighbor home door locker gym key apartment floor": """
        13..98 {p} lives at {n} Maple Street.
        15..99 {p}'s locker at the gym has the number {n}.
        21..97 {p}'s apartment has the number {n}.
        112..389 The post office is at {n} Main Street.
        {p} lives across the street.
        {p} comes from {c}.""",
    # traffic
    "bus train tram route line station stop ride travel passenger driv car truck van traffic taxi plane flight ferry road "
    "trip": """
        3..69 Bus number {n} goes past the library.
        2..38 {p} takes bus {n} to work.
        2..8 There are {n} train stations in {c}.
        11..29 The night train to {c} leaves from platform {n}.
        201..989 Flight {n} to {c} was delayed.
        21..89 The license plate of the red van ends in {n}.
        11..36 The parking space by the gate has the number {n}.
        14..45 The speed limit in front of the hospital is {n} miles an hour.
        There was hardly any traffic on the road.
        A red bus was waiting at the corner.
        {p} goes to work by train.
        The ferry to the island was late.""",
    # lengths
    "mile kilomet km meter metre feet foot inch cm mm distan far long tall high height deep wide width length yard speed run "
    "walk hill mountain bridge river lake path": """
        12..95 The lake is {n} miles from {c}.
        18..64 The bridge over the river is {n} meters long.
        140..890 The hill behind the village is {n} meters high.
        14..58 The flagpole in front of the town hall is {n} feet tall.
        13..75 The nearest hospital is {n} miles away.
        12..44 There are {n} bridges in {c}.
        64..78 {p} is {n} inches tall.
        {p} likes to walk along the river.
        The path around the lake is closed.""",
    # animals
    "weigh pound lb kg kilo gram ounce ton heavy light dog cat pet animal bird farm zoo horse cow goat fish parrot vet": """
        14..85 {p}'s dog weighs {n} kilograms.
        13..20 The cat next door sleeps {n} hours a day.
        35..95 The goat in the petting zoo weighs {n} kilograms.
        13..24 {p}'s cat is {n} inches long.
        2..6 {p} has {n} cats.
        {p} has a dog that barks at every bicycle.
        {p}'s parrot can whistle a song.
        A black cat was sleeping on the wall.
        The birds in the garden were singing.
        A squirrel ran across the lawn.""",
    # clock
    "hour minute second time clock noon midnight late early morning evening night day week month o'clock a.m p.m slow fast :": """
        11..55 The news on the radio lasts {n} minutes.
        15..50 {p}'s lunch break lasts {n} minutes.
        12..40 {p}'s watch is {n} minutes slow.
        It was still early in the morning.
        It was getting dark outside.
        The clock in the hall was slow.""",
    # prices
    "$ dollar cent cost price pay paid money spend spent earn buy bought sell sold sale shop store market ticket bill sav wage "
    "rent fee budget bank charg worth cheap expensive discount tax profit income owe loan tip coin value fund": """
        6..18 A movie ticket in {c} costs ${n}.
        15..60 {p} paid ${n} for a haircut last month.
        21..85 {p}'s umbrella cost ${n}.
        3..9 A cup of tea at the airport costs ${n}.
        110..480 {p} once paid ${n} for an old clock.
        25..90 A night at the campsite costs ${n}.
        13..75 {p}'s phone bill for last month was ${n}.
        {p} keeps foreign coins in a drawer.""",
    # books
    "page book read chapter stor novel librar magazine newspaper writ shelf shelves poem word": """
        112..460 {p} is reading a book with {n} pages.
        12..36 The local newspaper has {n} pages.
        12..29 {p}'s favorite novel has {n} chapters.
        {p} likes to read before going to bed.
        The book on the table belongs to {p}.
        {p} likes to write poems.
        A magazine lay open on the bench.""",
    # sports
    "jersey shirt team player game match soccer sport score goal play win won race run coach league ball club point pool": """
        11..45 {p} plays soccer with the number {n} on {p.his} shirt.
        31..58 {p} once scored {n} points in a basketball game.
        12..39 The chess club in {c} has {n} members.
        11..36 The stadium in {c} has {n} gates.
        14..48 {p} finished a race in place {n} last summer.
        2..5 {p} goes swimming {n} times a week.
        {p} goes swimming before work.
        The soccer field was still wet.
        {p} is good at chess.
        {p} never learned to swim.""",
    # telephones and computers
    "phone photo picture message battery app video mail letter computer tablet call text internet file screen print": """
        12..97 {p} has {n} unread messages on {p.his} phone.
        120..880 There are {n} photos on {p}'s phone.
        11..48 {p} got {n} e-mails this morning.
        13..95 {p}'s e-mail address ends in {n}.
        {p} forgot {p.his} phone at home.
        The computer in the corner is hardly ever used.""",
    # music and television
    "song music piano guitar violin band concert choir sing play drum tv televis channel show movie film watch theater stage "
    "radio danc minute hour long people": """
        12..36 {p} knows {n} songs by heart.
        21..56 The choir in {c} has {n} singers.
        13..64 The local news is on channel {n}.
        95..160 The movie that {p} likes best is {n} minutes long.
        88..107 The radio station in {c} is at {n} on the dial.
        2..5 {p} plays {n} instruments.
        {p} plays the guitar in a band.
        The radio was playing an old song.
        {p} is learning to play the violin.""",
    # clothes
    "shoe boot size cloth shirt jacket coat dress wear wore sock hat scarf scarves sweater color red blue green glasses": """
        35..46 {p} wears shoes in size {n}.
        3..9 {p} owns {n} umbrellas.
        {p} was wearing a green hat.
        {p}'s favorite color is blue.
        {p} has new glasses.
        {p} often forgets {p.his} umbrella.""",
    # food
    "cook eat ate food soup recipe bak meal lunch dinner breakfast cup tea coffee bread cake restaurant kitchen guest table "
    "menu sugar drink drank oven": """
        11..34 The restaurant on the corner has {n} tables.
        12..30 The menu of the little restaurant lists {n} soups.
        2..5 {p} drinks {n} cups of tea before noon.
        {p} doesn't like mushrooms.
        {p} drinks {p.his} tea without sugar.
        There was a smell of fresh bread in the air.""",
    # plants and parks
    "tree plant flower garden leaf leaves seed grow grew park field forest wood rose orchard bush grass fence bench": """
        12..75 There are {n} benches in the park by the river.
        3..9 {p} has {n} cactuses on the windowsill.
        The roses along the fence were in bloom.
        The leaves on the trees had begun to turn yellow.
        The grass in the park had just been cut.
        The paint on the fence was not dry yet.""",
    # family and languages
    "famil sister brother sibling cousin aunt uncle niece nephew grand mother father parent child kid relative twin language "
    "speak spoke country": """
        2..5 {p} has {n} sisters.
        3..9 {p} has {n} cousins in {c}.
        2..6 {p} speaks {n} languages.
        {p} has an aunt in {c}.
        {p} speaks Spanish at home.""",
    # school and work
    "class student pupil school teacher test exam lesson grade homework child kid question subject learn work job": """
        11..39 {p}'s classroom is room {n}.
        12..30 The spelling test next week has {n} words.
        14..57 {p}'s math homework is on page {n}.
        The school is named after a famous painter.
        {p} wants to become a doctor.
        {p} works at the post office.""",
    # visits and crowds
    "visit people person guest fair festival crowd party event came come inhabitant population resident country countries "
    "travel museum painting island concert ticket": """
        160..980 The fair in {c} had {n} visitors last spring.
        45..260 The concert in {c} last month had {n} listeners.
        120..890 The island has {n} inhabitants.
        12..48 {p} has been to {n} countries.
        33..86 The museum in {c} has {n} paintings.
        11..35 The map in the hallway shows {n} islands.
        13..60 {p}'s raffle ticket has the number {n}.
        {p} has never been to {c}.""",
    # odds and ends
    "lamp light number gate bicycle bike flag radio corner letter stamp box mail code page key": """
        13..56 There are {n} lamps along the harbor.
        21..49 The winning number in the raffle was {n}.
        13..47 {p}'s mailbox is number {n}.
        12..36 There are {n} flags in front of the hotel.
        21..97 The code for the gate ends in {n}.
        15..52 There are {n} boats in the harbor of {c}.
        The gate had been left open.
        An old bicycle was leaning against the fence.
        {p} waved from across the street.
        A flag was flying over the harbor.""",
}

OPENINGS: Final[tuple[str, ...]] = (
    "Hi, can you help me with this one?",
    "Hello! I am stuck on this problem.",
    "Hi there, I need some help.",
    "Here is a problem:",
    "Here's my homework question:",
    "Homework question:",
    "Please solve this:",
    "Can you solve this?",
    "Question:",
    "Problem:",
    "Math problem:",
    "Word problem:",
    "Exercise:",
    "Solve:",
    "I need help with this:",
    "Please help me with my homework.",
    "Solve this word problem:",
    "My teacher gave us this problem:",
    "This is from my math book:",
    "Let's try this one:",
    "Could you explain this to me?",
    "Hey, quick question:",
    "I don't get this:",
    "What is the answer to this?",
    "From my worksheet:",
    "Help me, please!",
    "I am practicing for a test.",
    "Read carefully and solve:",
)

CLOSINGS: Final[tuple[str, ...]] = (
    "Show your work.",
    "Thanks!",
    "Thank you!",
    "Thanks in advance!",
    "I have no idea.",
    "Please explain.",
    "Please help!",
    "Explain your answer.",
    "Show all the steps.",
    "Show me how you got the answer.",
    "I really don't know.",
    "Can you help me?",
    "I can't figure it out.",
    "Write down every step.",
    "Check your answer.",
    "I am stuck.",
    "Any ideas?",
    "Step by step, please.",
    "How do I do this?",
    "Please show how you solved it.",
    "I'm not sure where to start.",
    "Explain it to me, please.",
    "I always get these wrong.",
    "Help!",
)
