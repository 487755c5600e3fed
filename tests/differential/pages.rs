//! Pages that filters work on: commands of server-side includes, and text in several charsets.

/// Pages by the names they have below `html/`.
pub static PAGES: &[(&str, &[u8])] = &[
    ("ssi/plain", b"no commands, but < and <! and <!- and <!-- and <!--- and --> in it"),
    ("ssi/echo", br#"<!--#echo var="arg_x"-->|<!--# echo  var = 'ARG_X' -->|<!--#echo var="no"-->|<!--#echo var="no" default="d"-->|<!--#echo var="no" default=""-->|<!--#echo var="uri"-->"#),
    ("ssi/encodings", br#"<!--#echo var="arg_x"-->|<!--#echo var="arg_x" encoding="none"-->|<!--#echo var="arg_x"-->|<!--#echo var="arg_x" encoding="url"-->|<!--#echo var="arg_x" encoding="entity"-->|<!--#echo var="arg_x" encoding="x"-->"#),
    ("ssi/all", br#"<!--#include virtual="/plain/bytes" set="v"--><!--#echo var="v" encoding="url"-->|<!--#echo var="v" encoding="entity"-->"#),
    ("bytes", &BYTES),
    ("ssi/set", br#"<!--#set var="A" value="1$arg_x-${arg_x}z$no"--><!--#echo var="a"--><!--#set var="arg_x" value="set"--><!--#echo var="arg_x"--><!--#set var="q" value="\"\\\d\$e"-->|<!--#echo var="q" encoding="none"-->|<!--#set var="w" value="$"--><!--#set var="w" value="${arg_x"--><!--#set var="w" value="a$-"--><!--#set var="w"-->"#),
    ("ssi/errors", br#"<!--#none--><!--#ECHO var="uri"--><!--#echo--><!--#echo VAR="uri"--><!--#echo var="uri" var="uri"--><!--#echo var=uri--><!--#echo var "uri"--><!--#echo var="uri"x="y"--><!--#echo var--><!--#echo ="x"--><!--#abcdefghijklmnopqrstuvwxyzabcdefghij --><!--#echo abcdefghijklmnopqrstuvwxyzabcdefghij="s" --><!--#echo var="uri" - -->|<!--#config errmsg="E"--><!--#none--><!--#config foo="x"--><!--#config-->"#),
    ("ssi/many", br#"<!--#echo a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1" a="1"-->|<!--#echo var="0123456789012345678901234567890123456789"-->|<!--#set var="x" value="012345678901234567890123456789"-->"#),
    ("ssi/triple", b"<!--#-->a<!--# echo var=\"uri\"--->b"),
    ("ssi/if", br#"<!--#if expr="$arg_x"-->a<!--#else-->b<!--#endif-->|<!--#if expr="$arg_x = 1"-->a<!--#elif expr="$arg_x=2"-->b<!--#else-->c<!--#endif-->|<!--#if expr="$arg_x != 1"-->a<!--#endif-->|<!--#if expr="ABC = abc"-->a<!--#endif-->|<!--#if expr="$no = "-->a<!--#endif-->|<!--#if expr=""-->a<!--#else-->b<!--#endif-->|<!--#if expr="$arg_x = '1'"-->a<!--#endif-->|<!--#if expr="$arg_x = $arg_x "-->a<!--#endif-->|<!--#if expr="$a{b"-->a<!--#endif-->"#),
    ("ssi/regex", br#"<!--#if expr="$arg_x = /^(.)(?<rest>.*)\$/"--><!--#echo var="1"-->-<!--#echo var="rest"-->-<!--#echo var="0"-->-<!--#echo var="3"--><!--#set var="q" value="$1$2$3"--><!--#echo var="q"--><!--#else-->no<!--#endif-->|<!--#if expr="$arg_x = /x/"-->x<!--#endif--><!--#echo var="1"-->|<!--#if expr="$arg_x != /\d/"-->d<!--#endif-->|<!--#if expr="$arg_x = //"-->e<!--#endif-->|<!--#if expr="$arg_x=/$arg_x/"-->s<!--#endif-->"#),
    ("ssi/contexts", br#"<!--#else-->a<!--#endif-->b<!--#elif expr="1"-->c<!--#if expr="1"-->d<!--#else-->e<!--#else-->f<!--#endif-->g<!--#if expr="1"-->h<!--#if expr="1"-->i<!--#endif-->j<!--#endif-->k<!--#if expr="$no"-->l<!--#if expr="1"-->m<!--#endif-->n<!--#endif-->o<!--#if-->p<!--#else x="y"-->q<!--#if expr=" 1"-->r<!--#if expr="$uri ~ 1"-->s<!--#if expr="$uri = /x"-->t<!--#if expr="$uri = /(/"-->u<!--#endblock-->v<!--#if expr="$no"--><!--#none--><!--#none x--><!--#endif-->"#),
    ("ssi/include", br#"<!--#include virtual="part"-->|<!--#include virtual="/ssi/part"-->|<!--#include file="part"-->|<!--#include virtual="/say/x?y=%20z&$args"-->|<!--#include virtual="/say/%41%3fb?c"-->|<!--#include virtual="/say//a/./b"-->|<!--#include virtual="$arg_u"-->|<!--#include virtual="part" wait="yes"-->|<!--#include virtual="part" wait="no"-->|<!--#include virtual="empty"-->|<!--#include virtual="none"-->|<!--#include virtual="/plain/ssi/echo"-->"#),
    ("ssi/refused", br#"<!--#include--><!--#include virtual="../x"--><!--#include virtual="/ssi/%2e%2e/x"--><!--#include virtual="a" file="b"--><!--#include file="a" wait="yes"--><!--#include virtual="a" wait="x"--><!--#include virtual="a" set="b" stub="c"--><!--#include virtual="part" stub="none"--><!--#include virtual="$"-->"#),
    ("ssi/part", b"[part <!--#echo var=\"uri\"-->]"),
    (
        "ssi/fenced",
        br#"<!--#include virtual="/denied/part"-->|<!--#include virtual="/inner/part"-->"#,
    ),
    ("ssi/empty", b""),
    ("ssi/values", br#"<!--#include virtual="part" set="v"-->a<!--#echo var="v"--><!--#include virtual="none" set="n"-->b<!--#echo var="n"--><!--#include virtual="/say/s?q" set="s"--><!--#echo var="S"-->"#),
    ("ssi/shared", br#"<!--#set var="x" value="X"--><!--#include virtual="sharing"-->a<!--#echo var="y"-->|<!--#include virtual="sharing" wait="yes"-->b<!--#echo var="y"-->"#),
    ("ssi/sharing", br#"[<!--#echo var="x"--><!--#set var="y" value="Y"-->]"#),
    ("ssi/blocks", br#"<!--#block name="a"-->A<!--#echo var="uri"--><!--#none--><!--#if expr="1"-->i<!--#endif--><!--#endblock-->|<!--#include virtual="empty" stub="a"-->|<!--#include virtual="/say-nothing" stub="a"-->|<!--#include virtual="part" stub="a"-->|<!--#include virtual="missing" stub="a"-->|<!--#block name="e"--><!--#endblock--><!--#include virtual="empty" stub="e"-->|<!--#block name="a"-->second<!--#endblock--><!--#include virtual="empty" stub="a"-->|<!--#block-->"#),
    ("ssi/self", b".<!--#include virtual=\"self\"-->"),
    ("ssi/cut", b"a<!--#echo var=\"uri"),
    ("ssi/dates", br#"<!--#config timefmt="%Y %Z %%"--><!--#echo var="date_local"-->|<!--#echo var="date_gmt"-->"#),
    ("ssi/opening", b"a <!--"),
    ("sub/page", b"<html><HEAD>one two one Two</head>\nSub-sub aaa ababab abcabc</html>"),
    ("sub/long", &LONG),
    ("koi", b"plain \xc1\xc2 \xff<\x80>"),
    ("utf", "plain а б ä € ∀ <\u{1f600}>".as_bytes()),
    ("bad-utf", b"a\xd0<b>\xff\xe2\x82<\xf0\x80\x80\xc3A"),
];

static BYTES: [u8; 255] = {
    let mut bytes = [0; 255];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8 + 1;
        at += 1;
    }
    bytes
};

/// More than one buffer, with strings across its borders.
static LONG: [u8; 100_000] = {
    let mut bytes = [b'.'; 100_000];
    let mut at = 0;
    while at + 6 < bytes.len() {
        bytes[at] = b'a';
        bytes[at + 1] = b'b';
        bytes[at + 2] = b'c';
        at += 7;
    }
    bytes
};
