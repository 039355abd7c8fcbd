"""Conversations and options that chat templates treat differently."""


def user(content, **more):
    return {"role": "user", "content": content} | more


def assistant(content, **more):
    return {"role": "assistant", "content": content} | more


def system(content):
    return {"role": "system", "content": content}


def tool(content, **more):
    return {"role": "tool", "content": content} | more


def text_parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather <b>now</b> & \"then\" \u2013 \u00fcn\u00ef",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "The city"},
        "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
        "days": {"type": "integer", "minimum": 1, "maximum": 10.5}}, "required": ["city"]},
    "return": {"type": "string"}}}
SEARCH = {"type": "function", "function": {
    "name": "search", "description": "Search.\nTwo lines",
    "parameters": {"type": "object", "properties": {
        "q": {"type": ["string", "null"]},
        "filters": {"type": "array", "items": {"type": "object", "properties": {
            "k": {"type": "string"}, "v": {"type": "number"}}, "required": ["k"]}},
        "nested": {"type": "object", "properties": {"a": {"type": "boolean"}},
                   "additionalProperties": False},
        "any": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "n": {"type": "integer", "nullable": True, "description": "n"}},
        "required": ["q", "filters"]}}}
NOTHING = {"type": "function", "function": {
    "name": "noargs", "description": "Nothing", "parameters": {"type": "object", "properties": {}}}}

CALL = {"id": "call_abc12", "type": "function", "function": {
    "name": "get_weather",
    "arguments": {"city": "K\u00f6ln", "days": 3, "ok": True, "x": None, "f": 1.5, "l": [1, "a"]}}}
TEXT_CALL = {"id": "call_abc13", "type": "function",
             "function": {"name": "search", "arguments": "{\"q\": \"a b\"}"}}
NINE_CALL = {"id": "123456789", "type": "function", "function": {"name": "f", "arguments": {}}}
ODD_TEXT = "\u00fcn\u00efc\u00f6d\u00e9 \U0001f600 \u200b \u4e2d\u6587 \u2028 'q' \"d\" <tag> & \\ \t"

CONVERSATIONS = [
    [user("Hi")],
    [system("Be nice."), user("Hi")],
    [system("Be nice."), user("Hi"), assistant("Hello!"), user("  How are you? \n")],
    [user("Hi"), assistant("Hello!"), user("x"), assistant("y"), user("z"), assistant("the end")],
    [system(""), user("")],
    [user(ODD_TEXT)],
    [user(text_parts("part one", "part two"))],
    [user([{"type": "image"}, {"type": "text", "text": "see"}])],
    [system(text_parts("sys part")), user(text_parts("a")), assistant(text_parts("b")), user("c")],
    [user("w?"), assistant(None, tool_calls=[CALL]),
     tool("{\"t\": 20}", tool_call_id="call_abc12", name="get_weather"), assistant("20 degrees")],
    [system("sys"), user("w?"), assistant("", tool_calls=[CALL]),
     tool("20", tool_call_id="call_abc12", name="get_weather"), user("thanks")],
    [user("w?"), assistant("let me see", tool_calls=[CALL, CALL]),
     tool("20", tool_call_id="call_abc12", name="get_weather"),
     tool("21", tool_call_id="call_abc12", name="get_weather"), assistant("ok"), user("more?")],
    [user("w?"), assistant("", tool_calls=[TEXT_CALL]),
     tool({"a": 1}, tool_call_id="call_abc13", name="search")],
    [user("w?"), assistant("t", tool_calls=[NINE_CALL]),
     tool("20", tool_call_id="123456789", name="f")],
    [user("w?"), assistant("t", tool_calls=[{"name": "f", "arguments": {"a": 1}}]),
     tool(text_parts("res"))],
    [user("q"), assistant("<think>\nreason here\n</think>\n\nanswer"), user("q2")],
    [user("q"), assistant("answer", reasoning_content="because"), user("q2"),
     assistant("answer2", reasoning_content="because2")],
    [user("q"), assistant("answer", thinking="hmm", reasoning="x")],
    [user("q"), assistant("", reasoning_content="because", tool_calls=[CALL]),
     tool("r", tool_call_id="call_abc12"), assistant("done", reasoning_content="r2")],
    [assistant("I start"), user("ok")],
    [user("a"), user("b")],
    [user("a"), assistant("b"), assistant("c")],
    [system("s1"), system("s2"), user("a")],
    [user("a"), system("late"), assistant("b")],
    [{"role": "developer", "content": "dev"}, user("a")],
    [{"role": "weird", "content": "dev"}, user("a")],
    [{"role": "user"}],
    [{"content": "no role"}],
    [],
    [system("only system")],
    [user("multi\nline\n\n"), assistant("\n\nlead and trail \n"), user("\t tab")],
    [system("sys"), user("q"), {"role": "ipython", "content": "out"}, assistant("z")],
    [user("c", name="bob"), assistant("d", prefix=True)],
    [user("w"), assistant(None, tool_calls=[]), user("x")],
    [user("w"), assistant("c", tool_calls=None), {"role": "function", "name": "f", "content": "r"}],
    [user(5), assistant(1.5), user(True)],
    [user("q"), tool("orphan")],
    [system("# Title\n## Custom Instructions\n/no_think stuff"), user("q /think")],
]
TOOLS = [None, [WEATHER, SEARCH, NOTHING], [WEATHER], []]
OPTIONS = [
    {}, {"enable_thinking": False}, {"enable_thinking": True}, {"thinking": True},
    {"documents": [{"title": "T1", "text": "Text one"},
                   {"doc_id": 3, "title": "T2", "text": "Two", "contents": "zz"}]},
    {"reasoning_effort": "high", "model_identity": "I am X", "builtin_tools": ["browser", "python"]},
    {"controls": ["a"], "add_default_system_message": True, "preserve_thinking": True},
    {"datetime": "now", "functions": [WEATHER], "response_format": {"type": "json"}},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def cases(every_combination=False):
    """Variables for a template. Without every combination: each conversation once plain and once
    with tools and an option, in turn."""
    for i, messages in enumerate(CONVERSATIONS):
        if every_combination:
            choices = [(t, o, g) for t in TOOLS for o in OPTIONS for g in (False, True)]
        else:
            choices = [(None, {}, i % 2 == 0),
                       (TOOLS[1 + i % 3], OPTIONS[i % len(OPTIONS)], i % 2 == 1)]
        for tools, options, prompt in choices:
            yield TOKENS | {"messages": messages, "tools": tools, "documents": None,
                            "add_generation_prompt": prompt} | options
