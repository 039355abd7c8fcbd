"""Texts that tokenizers get wrong, and the text that the tiny golden tokenizers are trained on."""
import random

HARD = [
    "", " ", "  ", "\n", "\t\t", "a", "Hello world", " Hello  world ", "Hello, world!\n\nHow are you?",
    "I'll can't WON'T he'S they'RE we've I'M you'd 'tis 'S 'ſ it'ſx ''s",
    "1 12 123 1234 12345 3.14159 1,000,000 2024-02-30 0x1F a1b2c3", "٣٤٥ ३४५ Ⅷ ⅻ ② ½ ¾ x² 10³ 𝟘𝟙𝟚 ፩፪",
    "na\u00efve caf\u00e9 cafe\u0301 \u00c5 \u212b A\u030a \ufb01ne \u1e9b\u0323 q\u0307\u0323 q\u0323\u0307",
    "\u0323\u0301\u0323", "o" + "\u0301" * 40, "Stra\u00dfe \u0130stanbul \u03a3\u0391\u03a3 \u01c5 \u1e9e",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8 \uff76\uff9e \u30ab\u3099",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab \uac00\u11a8", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e01\u0e33",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u09ac\u09be\u0982\u09b2\u09be \u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u05e9\u05dc\u05d5\u05dd \ufdfa \u202eabc\u202c",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac ti\u1ebfng Vi\u1ec7t",
    "\U0001f600\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 \u2764\ufe0f \U0001f3f3\ufe0f\u200d\U0001f308",
    "\x00", "a\x00b", "\x01\x02\x07\x08\x1b[0m\x7f", "\x80\x85\x9f\xa0\xad", "\ufeffBOM first", "in\ufeffside \ufffe\uffff\ufffd",
    " ".join(chr(c) for c in (9, 10, 11, 12, 13, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x200A, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000)),
    "a\u00a0b\u2003c\u3000d\u200be\u2028f", "\ue000\uf8ff\U000f0000\U0010fffd", "\u0378\u0379\U0001fffe\U000e0fff\U0003ffff",
    " " * 70, "\n" * 50, "a" * 200, "A" * 90, "1" * 50, "!" * 60, "\u00e9" * 50, "\U0001f600" * 20, "ab" * 60, " a" * 40,
    "x\n \n\n  \ny", "\r\n\r\nline\r\n", "end with spaces   ", "   start", "tab\tand\x0bvt", "word\u2009thin",
    "def f(x):\n    return x*2  # twice\n\n\nclass A:\n\tpass\n", "if (a<=b&&c!=d){x+=1;}//ok", "https://example.com/a?b=c&d=%20e#f",
    "foo_bar __init__ CamelCaseWord HTTPServer iPhone X\u00c9RO \u01c5ungla", "e.g. U.S.A. Dr. No... \u2026 \u2014 \u2013 \u201cquoted\u201d \u2018single\u2019",
    "$5 \u20ac10 \u00a31 #tag @user 50% ^_^ a+b=c <b> [x] {y} |z| ~w `v` \\u", "\u3001\u3002\u060c\u061f\u0964\u06d4\u2026\uff0c\uff01\uff1f(\uff08\uff09)",
    "<s>", "</s> and <s>", "<|endoftext|>", "a<|endoftext|>b", "<|im_start|>user\nHi<|im_end|>\n", "<unk> <pad> [CLS] [MASK] [SEP]",
    "<0x0A> <0xE2> <0xZZ>", "\u2581 \u2581\u2581 \u2581a", "\u0120the \u010a \u0120\u0120", "##ing ##", "</w> </w", "  <mask>  x <mask>y",
    "\u0345\u0334a", "\u1100\u1161\u11a8\u11a8", "\U0001100f\U00011046", "\u0958 \u2126 \u0344 \U0001d15e", "\u24b6\u24d0 \U0001f130 \u2160\u2170",
    "\u200d\u200c \u2066x\u2069", "Zal\u0335\u0322go\u0489", "a\u20dd b\u20e3 1\ufe0f\u20e3", "\ua78f\u02bc\u02d0\u3006", "\u16ee\u3007\u3021",
]


def random_texts(count: int, seed: int) -> list:
    draw = random.Random(seed)
    words = " ".join(HARD).split(" ")
    blanks = [" ", " ", " ", "  ", "\n", "\t", "\u00a0", "\u3000", ""]

    def character() -> str:
        low, high = draw.choice([(32, 127), (0x80, 0x250), (0x250, 0x3100), (0x3100, 0xD800),
                                 (0xE000, 0x10000), (0x10000, 0x20000), (0x20000, 0x110000)])
        return chr(draw.randrange(low, high))

    def text() -> str:
        parts = []
        for _ in range(draw.randrange(1, 9)):
            kind = draw.random()
            if kind < 0.5:
                parts.append(draw.choice(words) + draw.choice(blanks))
            elif kind < 0.75:
                parts.append("".join(character() for _ in range(draw.randrange(1, 5))))
            else:
                parts.append(draw.choice(blanks) * draw.randrange(1, 6))
        return "".join(parts)

    return [text() for _ in range(count)]


def corpus() -> list:
    """Sentences of common words in several scripts; ours, so free of anybody's rights."""
    draw = random.Random(7)
    latin = ("the of and to in a is that it was for on are as with his they at be this have from or had by not "
             "word but what some we can out other were all there when up use your how said an each she which "
             "their time will way about many then them write would like these long make thing see him two has "
             "look more day could go come did number sound no most people my over know water than call first "
             "running walked houses quickly nation station relation national I'll don't it's Hello World "
             "return class def import int float std vector string").split()
    others = ("le la les des une est pas der die das und nicht ist für über naïve café señor año "
              "и в не на что он как это привет мир και το να είναι "
              "你好 世界 我们 中国 日本 こんにちは です ありがとう 한국어 안녕 مرحبا العالم שלום "
              "नमस्ते भारत 👍 😀 ½ ﬁ 123 2024 42 7").split()
    lines = []
    for _ in range(1500):
        chosen = [draw.choice(latin if draw.random() < 0.8 else others)
                  for _ in range(draw.randrange(4, 14))]
        line = " ".join(chosen)
        lines.append(line[0].upper() + line[1:] + draw.choice([".", "!", "?", ",", ";\n", "  \n"]))
    return lines
