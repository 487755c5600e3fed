//! WebDAV as nginx has it: PUT, DELETE, MKCOL, COPY and MOVE of files and of whole directories. What
//! is changed is changed by jobs; properties and locks there are none.

mod destination;

use std::path::PathBuf;

use super::Values;
use super::answer::Answer;
use super::body;
use super::draft::Draft;
use super::env::{Lane, Need};
use super::exchange::Exchange;
use super::run::Flow;
use super::static_file::file_path;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::files::change::{self, Depth, Done, Named, Put, Refused, Transfer, Why};
use crate::files::temp::Life;
use crate::http::path::{self, Escape};
use crate::http::{Framing, Method, date};
use crate::log::{Escaped, Level};

directives! {
    /// Changing files by requests.
    pub struct Dav in "ngx_http_dav_module" with Draft {
        /// Allows methods that change files: `PUT`, `DELETE`, `MKCOL`, `COPY`, `MOVE`; or `off`. A file
        /// is replaced as a whole or not at all.
        methods: Vec<Method> = Vec::new() =>
            "dav_methods" [HTTP | SERVER | LOCATION] 1.., Replace, "off", with(methods);
        /// Makes the directories that are missing on the way to a file that is put.
        create_full_put_path: bool = false =>
            "create_full_put_path" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
        /// Allows DELETE only of paths of at least so many elements.
        min_delete_depth: u64 = 0 =>
            "min_delete_depth" [HTTP | SERVER | LOCATION] 1, Clone, "0", set(value::number);
        /// Permissions of new files: `user:rw group:rw all:r`. Of directories, who may read them may
        /// also look them up.
        access: u32 = 0o600 =>
            "dav_access" [HTTP | SERVER | LOCATION] 1..=3, Clone, "user:rw", with(access);
    }
}

const METHODS: [(&str, Option<Method>); 6] = [
    ("off", None),
    ("put", Some(Method::Put)),
    ("delete", Some(Method::Delete)),
    ("mkcol", Some(Method::Mkcol)),
    ("copy", Some(Method::Copy)),
    ("move", Some(Method::Move)),
];

fn methods(this: &mut Dav, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.methods.clear();
    }
    for word in call.args() {
        let Some(method) = value::one_of(word, &METHODS)? else {
            continue;
        };
        if this.methods.contains(&method) {
            let what = format!("duplicate value \"{}\"", word.str());
            let place = Some(word.place);
            draft.diagnostics.notice(Severity::Warning, place, what);
        } else {
            this.methods.push(method);
        }
    }
    Ok(())
}

fn access(this: &mut Dav, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (mut access, mut user) = (0, 0o600);
    for word in call.args() {
        let invalid = || Reason::about("invalid value", word);
        let text = word.str();
        let (who, rights) = text.split_once(':').ok_or_else(invalid)?;
        let rights = match rights {
            "rw" => 6,
            "r" => 4,
            _ => return Err(invalid()),
        };
        access |= match who {
            "user" => {
                user = 0;
                rights << 6
            }
            "group" => rights << 3,
            "all" => rights,
            _ => return Err(invalid()),
        };
    }
    this.access = access | user;
    Ok(())
}

/// Plans what it takes that files are changed in a block, if that is wanted.
pub fn settle(values: &Values, draft: &mut Draft) {
    if values.dav.methods.is_empty() {
        return;
    }
    values.root.reach_to_change(draft);
    if values.dav.methods.contains(&Method::Put) {
        body::want(values, draft);
    }
}

/// The methods that a location allows (RFC 9110 section 10.2.1).
pub fn allowed(x: &Exchange) -> String {
    let mut names = String::from("GET, HEAD");
    for (name, method) in METHODS {
        if method.is_some_and(|method| x.location.values.dav.methods.contains(&method)) {
            names.push_str(", ");
            names.push_str(&name.to_ascii_uppercase());
        }
    }
    names
}

/// Changes what the request's path names, if its method is one of those.
pub fn run(x: &mut Exchange) -> Flow {
    let dav: &'static Dav = &x.location.values.dav;
    if !dav.methods.contains(&x.method) {
        return Flow::Next;
    }
    let run = match x.method {
        Method::Put => put,
        Method::Delete => delete,
        Method::Mkcol => make,
        _ => transfer,
    };
    run(x, dav).unwrap_or_else(|flow| flow)
}

/// Either way it says how the exchange goes on; an error is what does not come as far.
type Attempt = Result<Flow, Flow>;

fn refuse<T>(x: &Exchange, status: u16, what: &str) -> Result<T, Flow> {
    x.log(Level::Error, format_args!("{what}"));
    Err(Flow::Fail(status))
}

fn put(x: &mut Exchange, dav: &'static Dav) -> Attempt {
    if x.uri.ends_with(b"/") {
        return refuse(x, 409, "cannot PUT to a collection");
    }
    if x.head.field("content-range").is_some() {
        return refuse(x, 501, "PUT with range is unsupported");
    }
    let wish = || body::Keep {
        in_file: false,
        life: Life::Dropped,
        told: None,
        ..body::wish(x)
    };
    let kept = body::kept(x, wish).map_err(Flow::Wait)?;
    let path = file_path(x, &x.uri);
    let how = Put {
        access: dav.access,
        create_path: dav.create_full_put_path,
        time: x.head.field("date").and_then(date::parse),
    };
    let done = job(x, path.clone(), "PUT", move || {
        change::put(&kept, &path, how)
    })?;
    Ok(match done.new {
        true => created(x),
        false => status(204),
    })
}

fn delete(x: &mut Exchange, dav: &'static Dav) -> Attempt {
    without_body(x, "DELETE with body is")?;
    let slashes = x.uri.iter().filter(|&&byte| byte == b'/').count() as u64;
    let deep = slashes - u64::from(x.uri.ends_with(b"/"));
    if deep < dav.min_delete_depth {
        let what = format!("insufficient URI depth:{slashes} to DELETE");
        return refuse(x, 409, &what);
    }
    let depth = depth(x);
    let named = named(file_path(x, &x.uri));
    job(x, named.path.clone(), "DELETE", move || {
        change::remove(&named, depth)
    })?;
    Ok(status(204))
}

fn make(x: &mut Exchange, dav: &'static Dav) -> Attempt {
    without_body(x, "MKCOL with body is")?;
    if !x.uri.ends_with(b"/") {
        return refuse(x, 409, "MKCOL can create a collection only");
    }
    let path = named(file_path(x, &x.uri)).path;
    let access = dav.access;
    job(x, path.clone(), "MKCOL", move || {
        change::make(&path, access)
    })?;
    Ok(created(x))
}

fn transfer(x: &mut Exchange, _: &'static Dav) -> Attempt {
    without_body(x, "COPY and MOVE with body are")?;
    let order = order(x)?;
    let (path, what) = (
        order.to.path.clone(),
        if order.moving { "MOVE" } else { "COPY" },
    );
    let done = job(x, path, what, move || change::transfer(&order))?;
    // What became of a file nginx does not tell.
    Ok(status(if done.new { 201 } else { 204 }))
}

/// What a COPY or a MOVE is to do.
fn order(x: &Exchange) -> Result<Transfer, Flow> {
    let to = destination::of(x).or_else(|wrong| {
        let (status, what) = wrong.told(x);
        refuse(x, status, &what)
    })?;
    let moving = x.method == Method::Move;
    let members = match depth(x) {
        Depth::Unsaid | Depth::Infinity => true,
        Depth::Zero if !moving => false,
        _ if moving => return refuse_depth(x, "\"Depth\" header must be infinity"),
        _ => return refuse_depth(x, "\"Depth\" header must be 0 or infinity"),
    };
    let overwrite = match x.head.field("overwrite") {
        None | Some(b"T" | b"t") => true,
        Some(b"F" | b"f") => false,
        Some(other) => {
            let other = Escaped(other);
            let what = format!("client sent invalid \"Overwrite\" header: \"{other}\"");
            return refuse(x, 400, &what);
        }
    };
    let order = Transfer {
        from: named(file_path(x, &x.uri)),
        to: named(file_path(x, &to)),
        overwrite,
        moving,
        members,
    };
    match destination::clash(x, &order) {
        Some(what) => refuse(x, 403, &what),
        None => Ok(order),
    }
}

fn without_body(x: &Exchange, what: &str) -> Result<(), Flow> {
    match x.head.framing() {
        Framing::None | Framing::Length(0) => Ok(()),
        _ => refuse(x, 415, &format!("{what} unsupported")),
    }
}

fn depth(x: &Exchange) -> Depth {
    match x.head.field("depth") {
        None => Depth::Unsaid,
        Some(b"0") => Depth::Zero,
        Some(b"infinity") => Depth::Infinity,
        Some(_) => Depth::Other,
    }
}

fn refuse_depth<T>(x: &Exchange, what: &str) -> Result<T, Flow> {
    if let Some(depth) = x
        .head
        .field("depth")
        .filter(|depth| *depth != b"1" && *depth != b"0")
    {
        let depth = Escaped(depth);
        let what = format_args!("client sent invalid \"Depth\" header: \"{depth}\"");
        x.log(Level::Error, what);
    }
    refuse(x, 400, what)
}

/// A path as it is meant: nginx takes a run of slashes for one.
fn named(path: PathBuf) -> Named {
    let slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    // Its components are what stands between runs of slashes.
    let path = path.components().collect();
    Named { path, slash }
}

/// What came of a change; or how the exchange goes on without it.
fn job(
    x: &mut Exchange,
    path: PathBuf,
    what: &'static str,
    run: impl FnOnce() -> Result<Done, Refused> + Send + 'static,
) -> Result<Done, Flow> {
    let wait = |need: Need| Flow::Wait(need);
    match x.long_job(Lane::Path(path), what, run).map_err(wait)? {
        Ok(done) => {
            for line in &done.told {
                x.log(Level::Error, format_args!("{line}"));
            }
            Ok(done)
        }
        Err(refused) => Err(refusal(x, &refused)),
    }
}

/// The answer to a change that was not made.
fn refusal(x: &mut Exchange, Refused { why, what }: &Refused) -> Flow {
    let (status, level) = match why {
        Why::Missing => (404, Level::Error),
        Why::NoParent | Why::OtherKind | Why::IntoDirectory => (409, Level::Error),
        Why::Forbidden => (403, Level::Error),
        Why::Exists => (405, Level::Error),
        Why::Kept => (412, Level::Error),
        Why::Directory | Why::Depth => (400, Level::Error),
        Why::Full => (507, Level::Crit),
        Why::Elsewhere | Why::Failed => (500, Level::Crit),
    };
    match why {
        Why::Depth => drop(refuse_depth::<()>(x, what)),
        Why::Directory => {
            let uri = Escaped(&x.uri);
            x.log(level, format_args!("\"{uri}\" is collection"));
        }
        Why::IntoDirectory => x.log(level, format_args!("{}", destination::into_collection(x))),
        _ => x.log(level, format_args!("{what}")),
    }
    Flow::Fail(status)
}

/// Something new is there.
fn created(x: &mut Exchange) -> Flow {
    x.leads_to = Some(path::escape(&x.uri, Escape::Uri).into_owned());
    status(201)
}

fn status(status: u16) -> Flow {
    Flow::Answer(Box::new(Answer {
        status,
        ..Answer::default()
    }))
}
