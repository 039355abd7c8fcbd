"""Small templates, a language feature each. What they give is whatever jinja2 says."""

# Variables that every snippet sees.
VARIABLES = {
    "name": "World", "empty": "", "zero": 0, "one": 1, "seven": 7, "neg": -3, "pi": 3.14159,
    "yes": True, "no": False, "nothing": None, "text": "  Hello, wide World!  ",
    "uni": "stra\u00dfe \u00c9t\u00e9 \u4e2d\u6587 \U0001f600", "html": "<a href=\"x\">T&C's</a>",
    "lines": "one\n  two\n\nthree\r\nfour\x0bfive\n", "nums": [3, 1, 2], "words": ["b", "A", "c", "a"],
    "mixed": [1, 2.5, "x", None, True, [1], {"k": "v"}], "nested": [[1, 2], [3, [4, 5]]],
    "map": {"b": 1, "a": 2, "C": 3}, "deep": {"x": {"y": {"z": "found"}}, "items": "mine", "l": [10, 20]},
    "users": [
        {"name": "Ann", "age": 30, "city": "Rome", "ok": True},
        {"name": "bob", "age": 25, "city": "rome", "ok": False},
        {"name": "Cid", "age": 30, "city": "Oslo", "tags": ["x", "y"]},
        {"name": "dan", "age": None, "city": "Bern", "ok": True},
    ],
    "tree": [{"n": "a", "c": [{"n": "b", "c": []}, {"n": "d", "c": [{"n": "e", "c": []}]}]}, {"n": "f", "c": []}],
    "big": 9007199254740993, "huge": 18446744073709551615, "ftiny": 1e-7, "fbig": 1e22, "f16": 123456789012345680.0,
}

EXPRESSIONS = r"""
1 + 2 * 3
(1 + 2) * 3
2 ** 3 ** 2
-2 ** 2
(-2) ** 2
2 ** -1
7 / 2
6 / 2
7 // 2
-7 // 2
7 // -2
7.5 // 2
-7.5 // 2
7 % 3
-7 % 3
7 % -3
-7.5 % 2
7.5 % -2
1 / 3
0.1 + 0.2
1e3
1e16
1e15
123456.789e3
1.0
-0.0
0.00001
0.0001
1e-5 * 10
5e-324
1.7976931348623157e308
fbig
ftiny
f16
big
huge
huge ~ ''
[huge]
huge == 18446744073709551615.0
1_000_000
0x1f
0o17
0b101
1_0.5_0
10 - 4 - 3
2 * 3 % 4
1 + 1.0
true + true
-true
+true
true * 'ab'
'ab' * 3
3 * 'ab'
'ab' * -1
[1, 2] * 2
(1,) * 3
[1] + [2]
(1, 2) + (3,)
'a' 'b' "c"
'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1, 'x']
1 ~ 2 + 3
'a' + 'b' ~ 'c'
1 < 2
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2
1 == 1.0
1 == true
'1' == 1
'a' < 'b'
'Z' < 'a'
'é' > 'z'
[1, 2] < [1, 3]
[1, 2] == [1, 2]
(1, 2) == [1, 2]
{'a': 1} == {'a': 1.0}
none == none
none == false
undefined_thing == undefined_other
undefined_thing == none
1 != 2
not 1
not not 0
not 1 == 2
not empty
1 and 2
0 and 2
0 or 3
'' or none
1 or missing.attribute
0 and missing.attribute
true and false or true
not true or true
1 in [1, 2]
4 in nums
4 not in nums
'ell' in 'Hello'
'' in 'x'
'b' in map
1 in {1: 2}
not 1 in [2]
1 in range(3)
5 in range(3)
'x' in missing_name
2 in (1, 2)
'a' in map.keys()
1 in map.values()
1 if yes else 2
1 if no else 2
1 if no
(1 if no) is undefined
'a' if no else 'b' if no else 'c'
(1 if yes else 2) + 3
1 if yes else 2 + 3
[1, 2, 3]
[1, 2, 3,]
[]
()
(1,)
(1, 2)
1, 2
{}
{'a': 1, 'b': [1, 2]}
{'a': 1, 'a': 2}
{1: 'x', none: 'y', true: 'z', 2.5: 'w', (1, 2): 't'}
{'a': 1,}
["it's", 'say "hi"', 'both \' and "', 'back\\slash', 'nl\n tab\t cr\r', '\x00\x1f\x7f', 'é', '\u200b', '\xa0', '\U0001f600', '\ud7ff']
'\x41\u0042\103\n' ~ '|'
'\q\d'
'a\
b'
'\é'
"\a\b\f\v" | tojson
'tab	inside'
nums[0]
nums[-1]
nums[5]
nums[-5] is undefined
nums['x'] is undefined
nums.0
nums.5 is undefined
nested.1.1.0
nested[1][1][0]
text[2]
uni[-1]
uni[4]
nums[1:]
nums[:-1]
nums[::-1]
nums[5:]
nums[-2:]
'abcdef'[1:4]
'abcdef'[::2]
'abcdef'[::-1]
'abcdef'[4:1:-1]
'abcdef'[-100:100]
'abcdef'[none:2]
uni[3:8]
uni[::-1]
(1, 2, 3)[1:]
range(10)[2:8:3]
range(10)[::-1]
range(10)[-1]
map.b
map['b']
map.zzz
map.zzz is defined
map.get('b')
map.get('zzz')
map.get('zzz', 'dflt')
map.get('zzz') is none
map.items()
map.keys()
map.values()
map.items() | list
map | list
map | length
deep.x.y.z
deep['x']['y'].z
deep.items is string
deep['items']
deep.items() | length
deep['keys'] is callable
deep.nope.more
missing_name.more
missing_name
missing_name | length
missing_name is defined
missing_name is undefined
missing_name ~ 'x'
missing_name + 1
missing_name()
missing_name[0]
name.foo
name.foo.bar
nothing.foo
nothing['foo'] is defined
nothing | length
zero.real
not missing_name
missing_name or 'dflt'
missing_name | default('dflt')
missing_name | d
missing_name.x | default('dflt')
deep.nope | default('dflt')
deep.nope.more | default('dflt')
empty | default('dflt')
empty | default('dflt', true)
nothing | default('dflt')
nothing | default('dflt', boolean=true)
zero | d(5, true)
'a' is string
1 is string
1 is number
1.5 is number
true is number
true is integer
1 is integer
huge is integer
1.0 is integer
1.0 is float
1 is float
none is none
0 is none
true is boolean
1 is boolean
true is true
1 is true
false is false
0 is false
{} is mapping
[] is mapping
'a' is iterable
1 is iterable
map is iterable
missing_name is iterable
missing_name is sequence
'a' is sequence
[] is sequence
{} is sequence
1 is sequence
range(2) is sequence
map.items() is sequence
map.items() is iterable
nums | map('string') is sequence
nums | map('string') is iterable
none is sequence
3 is odd
3 is even
-3 is odd
2.0 is even
10 is divisibleby 5
10 is divisibleby(3)
10 is not divisibleby 3
'abc' is lower
'aBc' is lower
'' is lower
'123' is lower
'ABC' is upper
1 is eq 1
1 is equalto(2)
1 is ne 2
1 is lt 2
1 is gt 2
1 is ge 1
1 is le 0
1 is lessthan 2
1 is greaterthan 2
1 is in [1, 2]
'x' is in 'xyz'
1 is sameas 1
none is sameas none
1 is sameas true
'upper' is filter
'nope' is filter
'odd' is test
'nope' is test
range is callable
name is callable
name is escaped
name | e is escaped
1 is defined and 2 is defined
1 is not defined or 2 is defined
1 is string or 2 is number
not 1 is string
-1 is number
name | upper is string
'x' is string ~ 'y'
1 is nosuchtest
1 if yes else (1 is nosuchtest)
1 if no else (1 is nosuchtest)
1 is defined is defined
1 is not not_a_test
text | trim
text | trim | length
text.strip()
text.lstrip()
text.rstrip()
'xxabcxx'.strip('x')
'xyabcyx'.lstrip('xy')
'xyabcyx'.rstrip('xy')
'xxabcxx' | trim('x')
5 | trim
'abc'.strip('')
'a,b,,c'.split(',')
'a,b,c'.split(',', 1)
'a,b,c'.rsplit(',', 1)
' a  b c '.split()
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
' a  b c '.split(' ')
'abc'.split('')
''.split()
''.split(',')
'a<|b|>c<|b|>d'.split('<|b|>')[-1]
'a,b,c'.split(sep=',', maxsplit=1)
'aXbXc'.partition('X')
'aXbXc'.rpartition('X')
'abc'.partition('X')
'abc'.rpartition('X')
lines.splitlines()
lines.splitlines(true)
'abc'.startswith('ab')
'abc'.startswith(('x', 'a'))
'abc'.startswith('b', 1)
'abc'.startswith('')
'abc'.startswith('abcd')
'abc'.endswith('bc')
'abc'.endswith(('x', 'c'))
'abc'.endswith('b', 0, 2)
'abc'.startswith(['a'])
'abcabc'.find('c')
'abcabc'.rfind('c')
'abcabc'.find('z')
'abcabc'.find('c', 3)
'abcabc'.index('b')
'abcabc'.index('z')
'abcabc'.rindex('b')
uni.find('中')
'abcabc'.count('bc')
'aaaa'.count('aa')
'abc'.count('')
'abc'.find('', 5)
'abc'.replace('b', 'X')
'aaa'.replace('a', 'b', 2)
'abc'.replace('', '-')
'abc'.replace('', '-', 2)
'aaa' | replace('a', 'b')
'aaa' | replace('a', 'b', 2)
123 | replace(2, 'x')
'hello'.replace(1, 2)
'hello world'.title()
"they're bill's friends-and co".title()
"they're bill's friends-and co (x)y" | title
uni | title
'hELLO wORLD'.capitalize()
'hELLO wORLD' | capitalize
uni.upper()
uni | upper
uni | lower
uni | capitalize
'ÀÉÎ ΑΣ ΣΑΣ. Σ'.lower()
'ß ŉ ﬁ ǆ İ'.upper()
'ß ŉ ﬁ ǆ İ'.title()
'ß ŉ ﬁ ǆ İ'.lower()
'Straße'.casefold()
'aBc Σ'.swapcase()
'abc'.center(10)
'abc'.center(10, '*')
'abc'.center(9, '*')
'ab'.center(5, '*')
'abc' | center(10)
'abc'.ljust(6, '.') ~ '|'
'abc'.rjust(6) ~ '|'
'é'.rjust(4, 'ü')
'abc'.ljust(2)
'42'.zfill(5)
'-42'.zfill(5)
'a\tb\tcd'.expandtabs(4)
'abc'.removeprefix('ab')
'abc'.removesuffix('bc')
'abc'.removesuffix('x')
'12'.isdigit()
'1a'.isdigit()
''.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'ab'.isalpha()
'é中'.isalpha()
'a1'.isalnum()
' \n'.isspace()
'abc'.islower()
'ABC1'.isupper()
'Abc Def'.istitle()
'Abc def'.istitle()
'abc'.isascii()
'é'.isascii()
'a\n'.isprintable()
'a_1'.isidentifier()
'1a'.isidentifier()
', '.join(words)
', '.join('abc')
','.join([1, 2])
','.join(nothing)
'-'.join(map)
'abc'.nosuch is defined
'abc'.nosuch()
'{} and {}'.format(1, 'x')
'{0} {1} {0}'.format('a', 'b')
'{a} {b!r}'.format(a=1, b='x')
'{:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c')
'{:*^7}'.format('x')
'{:05d} {:+d} {: d} {:,} {:_}'.format(42, 42, 42, 1234567, 1234567)
'{:x} {:X} {:o} {:b} {:#x} {:#b}'.format(255, 255, 8, 5, 255, 5)
'{:.2f} {:10.3f} {:e} {:g} {:%} {:.1%}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.5, 0.123)
'{:.3} {:10} {:010.2f} {:+.1f}'.format(3.14159, 2.5, -3.14159, 2.0)
'{:,.2f} {:g} {:g} {:G}'.format(1234567.891, 1e20, 100000.0, 1e-10)
'{:.2}'.format('abcdef')
'{:5}|{:<5}|{:>5}'.format(42, 42, true)
'{0[a]} {1.real} {2[0]}'.format({'a': 5}, 7, [9])
'{{}} {}'.format(1)
'{:{}}|'.format('a', 5)
'{!s} {!r} {!a}'.format('é', 'é', 'é')
'{}'.format()
'{'.format()
'{} {0}'.format(1)
'{x}'.format_map({'x': 3})
'{:d}'.format('x')
'{:s}'.format(1)
'{0.__class__}'.format(1)
'%s and %d' % ('a', 5)
'%s' % 'a'
'%s' % nums
'%s %s' % (1,)
'%s' % (1, 2)
'%d' % 3.99
'%d' % 'x'
'%5d|%-5d|%05d|%+d|% d' % (42, 42, 42, 42, 42)
'%x %X %o %#x %#o' % (255, 255, 8, 255, 8)
'%.2f %8.3f %e %g %G' % (3.14159, 2.5, 12345.678, 0.00001, 1e20)
'%r %a %s' % ('é', 'é', 'é')
'%(a)s %(b)05.1f' % {'a': 1, 'b': 2.25}
'%c%c' % (65, 'B')
'%%' % ()
'%5.2s|' % 'abc'
'%*d|%-*d|' % (5, 42, 5, 42)
'%s' % {'a': 1}
'%.3d %+.2d' % (5, 5)
'%s %s' | format('a', 1)
'%(x)s' | format(x=3)
'%q' % 1
'100%' % ()
nums | length
uni | length
map | count
nums | sum
[0.1, 0.2] | sum
[[1], [2]] | sum(start=[])
users | sum(attribute='missing')
nums | first
[] | first
[] | first is undefined
nums | last
[] | last
'abc' | first
'abc' | last
map | first
map | last
range(3) | last
missing_name | first
missing_name | last
nums | map('string') | last
nums | min
nums | max
[] | max
words | min
words | max
words | min(case_sensitive=true)
users | min(attribute='name')
users[:3] | max(attribute='age')
nums | sort
nums | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
users | sort(attribute='name') | map(attribute='name') | list
users[:3] | sort(attribute='age,name') | map(attribute='name') | list
users[:3] | sort(attribute='age', reverse=true) | map(attribute='name') | list
mixed | sort
'hello' | sort
map | sort
words | unique | list
words | unique(case_sensitive=true) | list
[1, 1.0, true, 2] | unique | list
[[1], [1]] | unique | list
users | unique(attribute='age') | map(attribute='name') | list
nums | reverse | list
'abé' | reverse
map | reverse | list
nums | reverse | length
range(3) | reverse | list
5 | reverse
nums | join
nums | join(', ')
words | join(' ', attribute=0)
users | join(', ', attribute='name')
[none, true, 1.5] | join('-')
'abc' | join('.')
missing_name | join(',')
5 | join
nums | list
'abc' | list
map | list
5 | list
nothing | list
(1, 2) | list
nums | map('string') | list
words | map('upper') | join
users | map(attribute='name') | list
users | map(attribute='tags') | list
users | map(attribute='tags', default='none') | list
users | map(attribute='tags.0', default='-') | list
nested | map('first') | list
nested | map(attribute=0) | list
words | map('replace', 'a', 'z') | list
nums | map('nosuchfilter') | list
[] | map('nosuchfilter') | list
[1.25, 2.5] | map('round', 1) | list
['1', '2'] | map('int') | sum
nums | select | list
[0, 1, '', 'x', none] | select | list
nums | select('odd') | list
nums | reject('odd') | list
nums | select('gt', 1) | list
nums | select('>', 1) | list
nums | select('divisibleby', 2) | list
nums | select('in', [1, 3]) | list
nums | select('nosuchtest') | list
users | selectattr('ok') | map(attribute='name') | list
users | rejectattr('ok') | map(attribute='name') | list
users | selectattr('age', 'equalto', 30) | map(attribute='name') | list
users | selectattr('tags', 'defined') | map(attribute='name') | list
users | rejectattr('age', 'none') | map(attribute='name') | list
users | selectattr | list
users | groupby('age') | length
users[:3] | groupby('city')
users | groupby('city', case_sensitive=true) | map(attribute='grouper') | list
users[:3] | groupby('city') | map(attribute='list') | map('length') | list
users[:3] | groupby('tags', default='none') | map('first') | list
(users[:3] | groupby('age') | first).grouper
map | dictsort
map | dictsort(true)
map | dictsort(false, 'value')
map | dictsort(reverse=true)
map | dictsort(by='zzz')
nums | dictsort
map | items | list
missing_name | items | list
nums | items | list
range(7) | batch(3) | list
range(7) | batch(3, 'x') | list
range(7) | slice(3) | list
range(7) | slice(3, 'x') | list
[] | batch(2) | list
range(4) | slice(0) | list
'42' | int
'42.9' | int
'  42  ' | int
'1_000' | int
'x' | int
'x' | int(7)
'x' | int(default=-1)
'ff' | int(base=16)
'0xff' | int(base=16)
'0xff' | int(0, 0)
'z' | int(0, 36)
'1e3' | int
'inf' | int
'' | int
none | int
3.99 | int
-3.99 | int
true | int
[] | int
missing_name | int
'+5' | int
'- 5' | int
'4.5' | float
'x' | float
'x' | float(1.5)
'1e5' | float
'inf' | float
'-Infinity' | float
'nan' | float
' 1_0.5 ' | float
'1.' | float
'.5' | float
'0x10' | float
none | float
3 | float
42 | string
none | string
[1, 'a'] | string
1.0 | string
-5 | abs
-5.5 | abs
true | abs
'x' | abs
2.5 | round
3.5 | round
2.675 | round(2)
1234.567 | round(-2)
5 | round
15 | round(-1)
25 | round(-1)
2.1 | round(method='ceil')
-2.1 | round(0, 'floor')
2.123 | round(2, 'ceil')
2.5 | round(method='zzz')
1e300 | round(2)
0.5 | round | int
2.5 | round(none)
'a' | round
lines | indent
lines | indent(2)
lines | indent(2, true)
lines | indent(2, true, true)
lines | indent('> ')
'' | indent
'a\n' | indent ~ '|'
5 | indent
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'foo bar baz qux' | truncate(11, false, '...', 0)
'foo bar baz qux' | truncate(2)
'short' | truncate
'foo bar, baz: it\'s x_1 é' | wordcount
1000 | filesizeformat
1 | filesizeformat
999 | filesizeformat
1234567 | filesizeformat
1234567 | filesizeformat(true)
'1024' | filesizeformat(binary=true)
1e30 | filesizeformat
html | e
html | escape
html | e | e
html | e | forceescape
html | safe
(html | safe) ~ '<b>'
(html | safe) + '<b>'
'<b>' + (html | safe)
'<b>' + html | safe
(html | e) * 2
['<b>', '<i>' | safe]
'%s %s' % ('<b>', '<i>' | safe)
('%s %s' | safe) % ('<b>', '<i>' | safe)
('%s' | safe) % '<b>'
('%(a)s' | safe) % {'a': '<'}
('{} {}' | safe).format('<b>', '<i>' | safe)
(', ' | safe).join(['<b>', '<i>' | safe])
['<b>', '<i>' | safe] | join(', ')
('<b>' | safe).upper() is escaped
('<b>' | safe)[0:1] is escaped
('<b>' | safe).split('b')
('<b>' | safe).replace('b', '<')
('<b>' | safe) | upper
('<b>' | safe) | trim is escaped
('<b>' | safe) | string is escaped
('<b>' | safe) | replace('b', '<') is escaped
('<b>' | safe) == '<b>'
(html | safe) | tojson
('a\nb' | safe) | indent is escaped
'<p>Hello <b>you</b> &amp; <!-- no --> me</p>' | striptags
'a < b' | striptags
'a b/c?d=é&e' | urlencode
{'a b': 'c/d', 'e': 1} | urlencode
[('a', 1), ('b', 2)] | urlencode
{'class': 'x y', 'id': none, 'd': '<'} | xmlattr
{'a b': 1} | xmlattr
name | attr('upper') is callable
map | attr('b') is defined
map | attr('items') is defined
map | attr('nope') is defined
name | tojson
html | tojson
uni | tojson
uni | tojson(ensure_ascii=true)
'\u2028 \x7f \x1f "\\/' | tojson
'\x7f\u0080' | tojson(ensure_ascii=true)
mixed | tojson
[] | tojson
{} | tojson
[[], {}] | tojson(indent=2)
mixed | tojson(indent=4)
mixed | tojson(indent=0)
mixed | tojson(indent='--')
map | tojson(sort_keys=true)
map | tojson(separators=(',', ':'))
map | tojson(indent=2, separators=(',', ': '))
map | tojson(false, none, (',', ':'), true)
{1: 2, none: 3, true: 4, 1.5: 5} | tojson
{(1, 2): 3} | tojson
(1, 2) | tojson
1e22 | tojson
1.0 | tojson
huge | tojson
'nan' | float | tojson
'inf' | float | tojson
missing_name | tojson
range(2) | tojson
map.items() | tojson
nums | map('string') | tojson
map.keys() | list | tojson
{'b': 1, 1: 2} | tojson(sort_keys=true)
range(5) | list
range(2, 5) | list
range(5, 0, -2) | list
range(0)
range(1, 10, 3)
range(5) | length
range(100001)
range(100000) | length
range(1, 2, 0)
range('a')
range()
dict(a=1, b=2)
dict({'a': 1}, b=2)
dict([('a', 1), ('b', 2)])
dict.fromkeys(['a', 'b'], 0)
dict(5)
namespace(a=1, b='x')
namespace({'a': 1}).a
namespace(a=1).b is defined
namespace(_a=1)
[namespace(a=1).a]
cycler('a', 'b').next()
cycler()
joiner()()
raise_exception('boom')
raise_exception()
strftime_now('%Y-%m-%d')
strftime_now('%d %b %Y')
strftime_now('%A, %B %e %j %H:%M:%S %p %y %%')
strftime_now('%-d.%-m.')
lipsum is defined
loop is defined
(nums | map('string')) | length
(nums | select) | first
nums.append(4)
nums.append is defined
nums.pop()
map.pop('a')
map.update({})
map.clear is defined
map.setdefault('x', 1)
nums.index(2)
nums.index(9)
nums.count(1)
(1, 2).index(2)
nums.copy()
map.copy()
map.fromkeys('ab')
name.__class__
name.__class__ is defined
name.__class__.__mro__
''.__class__.__base__.__subclasses__()
map.__init__
range.__globals__ is defined
namespace.__init__
name['__class__']
name | attr('__class__')
(1).__add__(2)
_private
{'_x': 5}._x
{'__x__': 5}['__x__']
1(2)
'a'()
nothing()
nums()
1 + 'a'
'a' + 1
'a' - 'b'
[1] + (2,)
none + 1
1 / 0
1 // 0
1 % 0
1.0 / 0
0 ** -1
-'a'
1 < 'a'
none < 1
[1] < 1
1 in 5
1 in 'abc'
[] in map
{[]: 1}
{'a': 1}[[]] is defined
'abc'[1.5] is defined
'abc'['x'] is defined
nums['1'] is defined
map[1:2]
5[0] is defined
nothing[0:1]
missing_name[0:1]
nums['a':]
nums[::0]
name | nosuchfilter
1 if yes else name | nosuchfilter
1 if no else name | nosuchfilter
name | upper(1)
name | upper(x=1)
name | default(1, 2, 3)
name | replace('a')
'a'.upper(1)
'a'.split(',', 1, 2)
'a'.strip(5)
'a'.replace('a', 'b', count=1)
'a'.join()
nums | first(1)
name.upper()
(name | lower).upper()
name.upper()[0].lower()
name | lower | upper | length
name|upper~'x'
-1|abs
-name|length
(1, 2) | join('-')
[1, 2] | join('-') ~ '!'
nums[nums[1]]
nums[nums | length - 1]
map[words[0]]
nums | length > 2
nums | length == 3 and name == 'World'
'a' in name | lower
(not yes) == false
yes == true == true
1 == 1 == 1
none is none is none
1.5.real
1.is_integer
'x' if 1 > 0
true
True
TRUE is defined
none
None
false or none
'' is sequence and '' is string
{'a': {'b': [1, {'c': 'd'}]}}.a.b[1].c
[1, [2, [3, (4, {'x': 5})]]]
{'a': range(3), 'b': none, 'c': 1.5, 'd': true}
users[0]
users | map(attribute='name') | map('upper') | join(',')
nums | map('float') | map('string') | list
nums is sameas nums
(nums | sort) is sameas nums
huge > 5
huge > 1e30
big == 9007199254740992.0
big > 9007199254740992.0
9007199254740993 <= 9007199254740992.0
[2 ** 53 + 1, 2.0 ** 53] | sort
1 < 1.5
-1 > -1.5
1.5 < 2
'nan' | float < 1
'nan' | float >= 1
huge < 1e20
9223372036854775807
9223372036854775807 - 1
'%s' % huge
'%d' % huge
'{}'.format(huge)
""".strip("\n").replace("'a\\\nb'\n", "@CONTINUED@\n").split("\n")

STATEMENTS = [
    "a{# comment #}b", "a {#- c -#} b", "{# multi\nline #}\nx", "a\n  {# c #}\nb", "{# unclosed",
    "{#-#}x", "x{#+ c +#}\ny", "{## c ##}x", "{{ 1 }}\n", "x\n\n", "x\r\ny\rz\r\n", "",
    "\n", "\n\n", " {% if yes %} a {% endif %} ", "{% if yes %}\na\n{% endif %}\nb",
    "  {% if yes %}\n  a\n  {% endif %}\nb", "x  {% if yes %}\n  a\n  {% endif %}\nb",
    "x {%- if yes -%} \n a \n {%- endif -%} y", "x\n  {%+ if yes %}\n a{% endif %}", "{% if yes +%}\na{% endif %}",
    "{% if yes -%}\n\n  a{% endif %}", "\n  {{ 1 }}\n  {{- 2 }}\n{{ 3 -}}\n  x", "{{- 1 -}} x", "{{+ 1 }}", "{{-1}}",
    "{{ 1 }}{{ 2 }}", "{{ '}}' }}", "{{ '%}' }}", "{% if '%}' %}x{% endif %}", "{{ {'a': {'b': 1}} }}", "{{ {'a':1}}}",
    "{% raw %}{{ x }}{% endraw %}", "a\n  {% raw %}\n {{ x }} {% if %}\n  {% endraw %}\nb", "a {%- raw -%} x {%- endraw -%} b",
    "{% raw %}{% endra %}{% endraw %}", "{% raw %}", "{%raw%}x{%endraw%}", "{% raw +%}x{% endraw +%}\ny",
    "{%- raw %} x {% endraw -%}\n y", "{ { x } } {%", "{{", "{{ 1", "{% if", "{{ 1 %}", "{% if 1 }}", "x }} y %} z #}", "{ {% raw %}{%{% endraw %}",
    "{% if yes %}a{% else %}b{% endif %}", "{% if no %}a{% elif yes %}b{% else %}c{% endif %}",
    "{% if no %}a{% elif no %}b{% elif zero %}c{% else %}d{% endif %}", "{% if no %}a{% endif %}", "{% if missing_name %}a{% else %}b{% endif %}",
    "{% if yes: %}a{% endif %}", "{% if 1, 0 %}tuple{% endif %}", "{% if %}{% endif %}", "{% if yes %}", "{% endif %}", "{% if yes %}{% endfor %}",
    "{% if yes %}a{% else %}b{% else %}c{% endif %}", "{% if no %}{{ name | nosuchfilter }}{% endif %}ok", "{% if yes %}{{ name | nosuchfilter }}{% endif %}",
    "{% if no %}{% for i in nums %}{{ name | nosuchfilter }}{% endfor %}{% endif %}ok", "{% if no %}{% for i in nums | nosuchfilter %}{% endfor %}{% endif %}ok",
    "{% for i in [] %}{{ name | nosuchfilter }}{% endfor %}ok",
    "{% for i in nums %}{{ i }},{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in nums %}x{% else %}none{% endfor %}",
    "{% for i in nums %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for i in nums %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in nums %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}",
    "{% for i in nums %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in nums %}{{ loop.cycle() }}{% endfor %}",
    "{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }} {% endfor %}", "{% for i in [1, 2] %}{{ loop.changed() }}{{ loop.changed(1, 2) }} {% endfor %}",
    "{% for i in nums if i > 1 %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}", "{% for i in nums if i > 5 %}x{% else %}none{% endfor %}",
    "{% for i in nums if loop.first %}x{% endfor %}", "{% for i in nums if i is odd %}{{ loop.last }}{{ loop.revindex }} {% endfor %}",
    "{% set ns = namespace(m=0) %}{% for i in [1, 3, 2, 5, 4] if i > ns.m %}{{ i }}{% set ns.m = i %}{% endfor %}",
    "{% set ns = namespace(m=0) %}{% for i in [1, 3, 2, 5, 4] if i > ns.m %}{{ loop.length }}{{ i }}{% set ns.m = i %}{% endfor %}",
    "{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in map | dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for k in map %}{{ k }}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3)), (4, [5, 6])] %}{{ a }}{{ b }}{{ c }} {% endfor %}", "{% for a, b in ['xy', 'zw'] %}{{ a }}-{{ b }} {% endfor %}",
    "{% for a, b in [1, 2] %}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [(1,)] %}{% endfor %}", "{% for a, in [(1,)] %}{{ a }}{% endfor %}",
    "{% for i in 5 %}{% endfor %}", "{% for i in none %}{% endfor %}", "{% for i in missing_name %}x{% else %}empty{% endfor %}", "{% for c in 'héy' %}{{ c }}.{% endfor %}",
    "{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }};{% endfor %}",
    "{% for i in nums %}{% set outer = loop %}{% for j in nums %}{{ outer.index }}.{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for i in nums recursive %}{{ i }}{% endfor %}", "{% for n in tree recursive %}{{ loop.depth }}{{ n.n }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}",
    "{% for n in tree recursive %}{{ n.n }}{{ loop.length }}[{{ loop(n.c) }}]{% else %}-{% endfor %}", "{% for i in nums %}{{ loop([1]) }}{% endfor %}",
    "{% for i in range(10) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in range(5) %}{% if i is odd %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1] %}{% continue %}{% else %}E{% endfor %}", "{% for i in [1] %}{% break %}{% else %}E{% endfor %}", "{% for i in [1, 2] %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% else %}E{% endfor %}",
    "{% break %}", "{% continue %}", "{% for i in nums %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% for i in nums %}{% set x %}a{% break %}{% endset %}{% endfor %}done",
    "{% for i in nums %}{% filter upper %}a{% if i == 1 %}{% continue %}{% endif %}b{% endfilter %}{% endfor %}", "{% for i in nums %}{% with %}{% break %}{% endwith %}{% endfor %}ok",
    "{% for i in [1, 2] %}{% for j in [] %}{% else %}{% break %}{% endfor %}x{% endfor %}ok",
    "{% set x = 1 %}{% for i in nums %}{{ x }}{% set x = 5 %}{{ x }} {% endfor %}{{ x }}", "{% for i in nums %}{% set y = i %}{% endfor %}{{ y is defined }}",
    "{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}", "{% for i in nums %}{% if i == 1 %}{% set name = 'X' %}{% endif %}{{ name }} {% endfor %}{{ name }}",
    "{% for i in nums %}{{ i }}{% endfor %}{{ i }}", "{% set i = 'o' %}{% for i in nums %}{{ i }}{% endfor %}{{ i }}", "{% for loop in nums %}{% endfor %}", "{% for i in nums %}{% set loop = 1 %}{% endfor %}", "{% set loop = 3 %}{{ loop }}",
    "{% for i in nums %}{{ loop }}{% endfor %}" if False else "{% for i in nums %}{{ loop.nope is defined }}{% endfor %}", "{% for i in nums %}{{ loop is iterable }}{{ loop is sequence }}{{ loop is callable }}{% endfor %}",
    "{% for i in nums | map('string') %}{{ loop.length }}{{ loop.last }}{% endfor %}", "{% set g = nums | map('string') %}{{ g | list }}{{ g | list }}",
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set x, y = 'ab' %}{{ x }}{{ y }}", "{% set x, y = 1 %}", "{% set x = 1, 2 %}{{ x }}", "{% set (x, y) = (1, 2) %}{{ x }}{{ y }}",
    "{% set x = y = 1 %}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{% set x.y = 2 %}", "{% set x[0] = 2 %}", "{% set x = name %}{% set name = 'new' %}{{ x }}{{ name }}",
    "{% set x %}a{{ 1 }}b{% endset %}[{{ x }}]{{ x is string }}", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | replace('a', 'b') | upper %}abc{% endset %}{{ x }}", "{% set x %}{% set z = 1 %}{{ z }}{% endset %}{{ x }}{{ z is defined }}", "{% set x %}a",
    "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}", "{% set ns = namespace() %}{% for i in nums %}{% set ns.last = i %}{% endfor %}{{ ns.last }}", "{% set ns = namespace(n=0) %}{% for i in nums %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace() %}{% set ns.t %}block{% endset %}{{ ns.t }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set ns = namespace(self=1) %}{{ ns.self }}", "{% set ns = namespace(a=1) %}{{ ns }}{{ ns['a'] }}{{ ns.b }}",
    "{% set ns = {'a': 1} %}{% set ns.a = 2 %}", "{% set missing.a = 2 %}", "{% set ns = namespace(a=[]) %}{% set ns.a = ns.a + [1] %}{{ ns.a }}", "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
    "{% macro m() %}x{% endmacro %}{{ m() }}{{ m() }}", "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=5) }}{{ m(b=1, a=0) }}{{ m() }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(1) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a) %}{{ a }}|{{ varargs }}|{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}", "{% macro m() %}{{ varargs | length }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% set x = 3 %}{{ m() }}", "{% macro m() %}{% set x = 5 %}{{ x }}{% endmacro %}{% set x = 3 %}{{ m() }}{{ x }}", "{% macro m() %}{{ i is defined }}{% endmacro %}{% for i in nums %}{{ m() }}{% endfor %}", "{% for i in nums %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}",
    "{{ m() }}{% macro m() %}x{% endmacro %}", "{{ m is defined }}{% macro m() %}x{% endmacro %}{{ m is defined }}", "{% macro m() %}  x  {% endmacro %}[{{ m() | trim }}]", "{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}", "{% macro m(a, a) %}{% endmacro %}",
    "{% set ns = namespace() %}{% for i in nums %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.f = m %}{{ ns.f() }}{% endfor %}", "{% macro m(a) %}{{ caller(a) }}{% endmacro %}{% call(x) m(3) %}[{{ x }}]{% endcall %}", "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body{{ name }}{% endcall %}", "{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m(caller=none) %}{{ caller() if caller else 'no' }}{% endmacro %}{{ m() }}{% call m() %}y{% endcall %}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% for i in nums %}{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ i }}{% endcall %}{% endfor %}", "{% call 5 %}{% endcall %}", "{% call name %}{% endcall %}", "{% macro a() %}A{{ caller() }}{% endmacro %}{% macro b() %}B{{ caller() }}{% endmacro %}{% call a() %}{% call b() %}x{% endcall %}{% endcall %}", "{% macro m() %}{{ caller(1, y=2) }}{% endmacro %}{% call(x, y=0) m() %}{{ x }}{{ y }}{% endcall %}",
    "{% filter upper %}abc{{ name }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}abc{% endfilter %}", "{% filter indent(2) %}a\nb{% endfilter %}", "{% filter nosuch %}{% endfilter %}", "{% filter length %}abcd{% endfilter %}", "{% filter trim %}  {% set q = 1 %}x {% endfilter %}{{ q is defined }}",
    "{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x is defined }}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with x, y = (1, 2) %}{{ x }}{{ y }}{% endwith %}", "{% with a %}{% endwith %}",
    "{% generation %}abc{{ name }}{% endgeneration %}", "{% for i in nums %}{% generation %}{{ i }}{{ loop.index }}{% set z = 1 %}{% endgeneration %}{{ z is defined }}{% endfor %}", "a\n  {% generation %}\n x\n  {%- endgeneration %}\nb", "{% generation %}", "{% for i in nums %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% print 1 %}", "{% print 1, 'a', name %}", "{% block a %}x{{ name }}{% endblock %}y", "{% set v = 1 %}{% block a %}{{ v }}{% endblock a %}", "{% for i in nums %}{% block a %}{{ i }}{% endblock %}{% endfor %}", "{% for i in nums %}{% block a scoped %}{{ i }}{% endblock %}{% endfor %}",
    "{% do nums %}", "{% nosuchtag %}", "{% 5 %}", "{% %}", "{{ }}", "{{ 1 2 }}", "{{ 1 + }}", "{{ ) }}", "{{ (1 }}", "{{ [1 }}", "{{ a b }}", "{{ 1 ! 2 }}", "{{ a ? b }}", "{{ 'abc }}", "{{ a.1b }}", "{{ a. }}", "{{ .a }}", "{{ a[] is defined }}", "{{ map['a', 'b'] is defined }}", "{{ a | }}", "{{ a is }}", "{{ f(a=1, 2) }}", "{{ f(*a, b) }}", "{{ dict(a=1, a=2) }}", "{{ @ }}", "{{ 007 }}", "{{ 0777 }}", "{{ 1__0 }}", "{{ 1_ }}", "{{ 0x }}", "{{ 1.e5 }}", "{{ 1e }}", "{{ '\\x4' }}", "{{ '\\u12' }}", "{{ {1, 2} }}", "{{ {'a' 1} }}", "{{ [1,,2] }}", "{{ x := 1 }}", "{{ a; b }}", "{{ `a` }}", "{{ $a }}",
    "{{ namé is defined }}", "{% set größe = 3 %}{{ größe }}", "{{ not }}", "{{ if }}", "{{ in }}", "{{ and }}", "{% set if = 3 %}{{ 'kw' }}", "{{ loop.index }}", "{% for %}{% endfor %}", "{% for i nums %}{% endfor %}", "{% for i in %}{% endfor %}", "{% for i in nums else %}{% endfor %}", "{% for i in nums %}{% else %}{% else %}{% endfor %}", "{% for i.x in nums %}{% endfor %}", "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}", "{% for i in nums if yes else no %}{{ i }}{% endfor %}", "{% for i in (nums if yes else []) %}{{ i }}{% endfor %}", "{% for i in nums recursive if yes %}{% endfor %}",
    "{% autoescape false %}x{% endautoescape %}" if False else "{{ '<' }}", "{{ cycler }}" if False else "{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}{{ c.pos }}{{ c.items }}", "{% set j = joiner(', ') %}{% for i in nums %}{{ j() }}{{ i }}{% endfor %}",
    "{{ raise_exception('a ' ~ name) }}", "{% if nums | length != 2 %}{{ raise_exception('bad') }}{% endif %}", "{% for m in users %}{% if loop.index0 % 2 == 0 %}{{ m.name }}{% else %}{{ m['city'] }}{% endif %}{{ ',' if not loop.last }}{% endfor %}",
    "{% for u in users %}\n  {%- if u.ok %}\n    {{- u.name }}\n  {%- endif %}\n{%- endfor %}\nend", "{% for u in users %}\n  {% if u.ok %}\n    {{ u.name }}\n  {% endif %}\n{% endfor %}\nend", "{%- set x = 1 -%}\n\n{{ x }}", "{%set x=1%}{{x}}", "{{name}}{{-name-}}{{name}}", "a\t{%- if yes %} b{% endif %}", "a\u00a0{%- if yes %}b{% endif %}", "a\n\u00a0 {% if yes %}b{% endif %}",
    "{% set xs = [] %}{% for i in nums %}{% set xs = xs + [i] %}{% endfor %}{{ xs }}", "{{ [1,2,3]|map('string')|join(',') }}", "{% set a, b, *c = nums %}", "{{ nums | map('upper') }}" if False else "{{ users[0].items() | list }}", "{% macro f(x) %}{{ x.y }}{% endmacro %}{{ f(missing_name) }}", "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(missing_name) }}|", "{{ users | selectattr('ok', 'defined') | selectattr('ok') | map(attribute='age') | reject('none') | sum }}",
    "{% set x = namespace(v='') %}{% for u in users %}{% set x.v = x.v ~ u.name[0] %}{% endfor %}{{ x.v }}", "{{ (users | first).name }}{{ (users | last)['name'] }}", "{{ users[1:] | map(attribute='name') | join('|') }}", "{% if users[0]['role'] is not defined and 'name' in users[0] %}ok{% endif %}", "{{ 'a' if users[0].tags is defined and users[0].tags else 'b' }}", "{% for t in users[2].tags | default([]) %}{{ t }}{% endfor %}",
    "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% set x = lipsum() %}{{ x is string }}" if False else "{{ range(3) | list | tojson }}",
]


def snippets():
    """Every snippet as a template."""
    result = []
    for expression in EXPRESSIONS:
        expression = expression.replace("@CONTINUED@", "'a\\\nb'")
        result.append("{{ " + expression + " }}")
    result += STATEMENTS
    return list(dict.fromkeys(result))
