use super::*;
use crate::conf::diagnostic::Diagnostics;
use crate::conf::source::Place;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;

#[derive(Default)]
struct Report(Diagnostics);

impl Shared for Report {
    fn diagnostics(&mut self) -> &mut Diagnostics {
        &mut self.0
    }
}

directives! {
    /// Values of the test.
    struct Values in "test" with Report {
        /// A switch.
        on: bool = false => "switch" [HTTP | SERVER] 1, Clone, "off", set(value::flag);
        /// A list.
        list: Vec<String> = Vec::new() => "list" [HTTP | SERVER] 1.., Replace, "", with(list);
        /// Blocks seen, and what the switch was then.
        blocks: Vec<bool> = Vec::new() => "box" [HTTP] 0, Many, "", block(seen);
    }
    also {
        /// Only a size.
        "room" [HTTP] 1, Clone, "1k", check(value::size);
    }
}

fn list(this: &mut Values, _: &mut Report, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.list.clear();
    }
    this.list
        .extend(call.args().iter().map(|w| w.str().into_owned()));
    Ok(())
}

fn seen(this: &mut Values, _: &mut Report, _: &Call<'_>) -> Result<(), Reason> {
    this.blocks.push(this.on);
    Ok(())
}

impl Holds<Values> for Values {
    fn module(&mut self) -> &mut Values {
        self
    }
}

fn word(text: &str) -> Word {
    Word {
        text: text.into(),
        place: Place::default(),
    }
}

fn item(line: &str) -> Item {
    let block = line.ends_with('{').then(Vec::new);
    let mut words = line.trim_end_matches('{').split_whitespace().map(word);
    Item {
        name: words.next().unwrap(),
        args: words.collect(),
        block,
    }
}

fn apply(lines: &[&str]) -> (Values, Vec<String>) {
    let stranger = |item: &Item, _| match &item.name.str()[..] {
        "plus" => Stranger::Error("commercial".into()),
        "tune" => Stranger::Notice("sizes itself".into()),
        _ => Stranger::Unknown,
    };
    let table = Table::new(Values::directives::<Values>(), stranger);
    let (mut values, mut report) = (Values::default(), Report::default());
    let items: Vec<Item> = lines.iter().map(|l| item(l)).collect();
    table.apply(&mut values, &mut report, &items, HTTP);
    (
        values,
        report
            .0
            .entries()
            .iter()
            .map(|e| e.message.clone())
            .collect(),
    )
}

#[test]
fn sets_values_in_their_order() {
    let (values, errors) = apply(&["switch on", "list a b", "list c", "room 4k", "box {"]);
    assert_eq!(errors, [""; 0]);
    assert!(values.on);
    assert_eq!(values.list, ["a", "b", "c"]);
    assert_eq!(values.blocks, [true]);
}

#[test]
fn reports_what_is_wrong_and_goes_on() {
    let (values, errors) = apply(&[
        "swich on",
        "switch maybe",
        "list",
        "box",
        "room 1k {",
        "plus",
        "tune",
        "switch on",
        "room 12zz",
    ]);
    assert!(!values.on, "the first `switch` counted, wrong as it was");
    assert_eq!(
        errors,
        [
            "unknown directive \"swich\"",
            "invalid value \"maybe\" in \"switch\" directive, it must be \"on\" or \"off\"",
            "invalid number of arguments in \"list\" directive",
            "directive \"box\" has no opening \"{\"",
            "directive \"room\" is not terminated by \";\"",
            "\"plus\" directive is not supported: commercial",
            "\"tune\" directive has no effect: sizes itself",
            "\"switch\" directive is duplicate",
            "\"room\" directive invalid value",
        ]
    );
}

#[test]
fn knows_the_names_of_contexts() {
    assert_eq!(
        (HTTP | LOCATION_IF).names().collect::<Vec<_>>(),
        ["http", "if in location"]
    );
}
