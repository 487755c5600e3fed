//! Answers in the best content coding that their client takes and the configuration offers. A file
//! is coded once, by a thread, and kept; other bodies are coded while they are sent.

mod decoder;
mod encoder;
mod kept;
mod stream;

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Values;
use super::answer::{Answer, Body};
use super::draft::{Draft, Site};
use super::env::{Env, Lane, Need};
use super::exchange::Exchange;
use super::gunzip;
use super::source::{Input, Stop};
use super::typeset::TypeSet;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::files::Content;
use crate::http::{Accepted, Bytes, Coding};
use crate::log::Level;
use crate::sys::OsError;
use crate::sys::file::Meta;
pub use decoder::{Decoder, Progress};
use encoder::Recipe;
pub use kept::Kept;
use kept::{Key, Known, Slot};

/// Bytes of coded files that a worker keeps, unless the configuration says otherwise.
pub const KEPT: u64 = 32 << 20;
/// Bytes that the encoders of streams may take in a worker.
const STREAMS: u64 = 128 << 20;
/// Bytes of files that may be coded as a whole at the same time.
const FILES: u64 = 64 << 20;
/// A file that changed so lately can change again without a trace: clocks of file systems tick.
const SETTLING: Duration = Duration::from_millis(100);
/// The same for clocks that tell seconds only.
const SETTLING_COARSE: Duration = Duration::from_secs(2);
/// The shortest time between two looks for what somebody else codes.
const PAUSE: Duration = Duration::from_millis(2);
/// For so long a request waits for what somebody else codes.
const PATIENCE: Duration = Duration::from_secs(5);

directives! {
    /// Coded files.
    pub struct Compression in "forkful" with Draft {
        /// Bytes of coded files that each worker keeps, so that a file is coded once and not for
        /// each request: `compressed_cache size=32m`; with `off`, none. A file of more than an
        /// eighth of that is coded for each request, while it is sent.
        kept: u64 = KEPT => "compressed_cache" [HTTP] 1, Clone, "size=32m", with(compressed_cache);
    }
}

fn compressed_cache(
    this: &mut Compression,
    draft: &mut Draft,
    call: &Call<'_>,
) -> Result<(), Reason> {
    let word = call.arg(0);
    let size = match &word.text[..] {
        b"off" => Some(0),
        text => text.strip_prefix(b"size=").and_then(value::parse_size),
    };
    this.kept = size.ok_or_else(|| Reason::about("invalid parameter", word))?;
    draft.compressed_cache = this.kept;
    Ok(())
}

/// What a location offers in one coding.
pub struct Offer<'a> {
    /// For these media types.
    pub types: &'a TypeSet,
    /// For bodies of at least so many bytes.
    pub min_length: u64,
    /// See [`Recipe`].
    pub level: i32,
    /// See [`Recipe`].
    pub window: u32,
}

/// What an exchange knows of how its answer is coded.
#[derive(Default)]
pub struct Coded {
    /// It depends on `Accept-Encoding`.
    pub varies: bool,
    /// It is decoded, since the client does not take the coding.
    pub decodes: bool,
    /// A coding that the file is there in, and that the client does not take.
    pub witness: Option<Coding>,
    /// How much smaller it became.
    pub ratio: Option<Ratio>,
    /// The file that is being coded for it.
    making: Option<Box<Making>>,
}

/// How much smaller a coded body is, so far.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    coding: Coding,
    from: u64,
    to: u64,
}

impl Ratio {
    /// Appends it, if the answer was coded so: with 2 decimals, rounded, or with 3, cut.
    pub fn write(x: &Exchange, coding: Coding, decimals: usize, out: &mut Vec<u8>) -> bool {
        let Some(ratio) = x.coded.ratio.filter(|it| it.coding == coding && it.to > 0) else {
            return false;
        };
        let thousandths = u128::from(ratio.from) * 1000 / u128::from(ratio.to);
        let (value, scale) = match decimals {
            2 => ((thousandths + 5) / 10, 100),
            _ => (thousandths, 1000),
        };
        write!(out, "{}.{:0decimals$}", value / scale, value % scale).is_ok()
    }
}

/// Bytes that coding takes in a worker. Files have a share of their own: streams keep theirs for as
/// long as their clients like.
#[derive(Default)]
pub struct Memory {
    streams: Cell<u64>,
    files: Cell<u64>,
}

/// Memory that is in use, until it is dropped.
struct Charge {
    used: &'static Cell<u64>,
    bytes: u64,
}

impl Charge {
    /// For a stream.
    fn stream(site: &'static Site, bytes: u64) -> Option<Charge> {
        Charge::take(&site.coding_memory.streams, bytes, STREAMS)
    }

    /// For a file as a whole.
    fn file(site: &'static Site, bytes: u64) -> Option<Charge> {
        Charge::take(&site.coding_memory.files, bytes, FILES)
    }

    /// None where there is too much already; one alone may be larger.
    fn take(used: &'static Cell<u64>, bytes: u64, most: u64) -> Option<Charge> {
        let before = used.get();
        (before == 0 || before + bytes <= most).then(|| {
            used.set(before + bytes);
            Charge { used, bytes }
        })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.used.set(self.used.get() - self.bytes);
    }
}

/// What the client takes.
pub fn accepted(x: &Exchange) -> Accepted {
    let fields = x.head.fields();
    let lines = fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"accept-encoding"));
    Accepted::parse(lines.map(|(_, value)| value))
}

/// Whether this answer may have this coding for its client; what stands in another one has none.
pub fn takes(x: &Exchange, answer: &Answer, accepted: &Accepted, coding: Coding) -> bool {
    let gzip = &x.location.values.gzip;
    !x.is_child() && accepted.takes(coding) && (coding != Coding::Gzip || gzip.allows(x, answer))
}

fn offer(values: &Values, coding: Coding) -> Option<Offer<'_>> {
    match coding {
        Coding::Brotli => values.brotli.enabled.then(|| values.brotli.offer()),
        Coding::Zstd => values.zstd.enabled.then(|| values.zstd.offer()),
        Coding::Gzip => values.gzip.enabled.then(|| values.gzip.offer()),
    }
}

/// How an answer is to be coded, if at all; notes whether that depends on the client.
pub fn choose(x: &mut Exchange, answer: &Answer) -> Option<Recipe> {
    let values = &x.location.values;
    let is_on = values.gzip.enabled || values.brotli.enabled || values.zstd.enabled;
    let is_coded = answer.coding.is_some();
    if !is_on || is_coded || x.is_child() || !matches!(answer.status, 200 | 403 | 404) {
        return None;
    }
    let offered = Coding::ALL.map(|coding| {
        let offer = offer(values, coding)?;
        let is_long = answer
            .body
            .len()
            .is_none_or(|length| length >= offer.min_length);
        let is_meant = is_long && offer.types.contains(answer.content_type.as_deref());
        is_meant.then_some(Recipe {
            coding,
            level: offer.level,
            window: offer.window,
        })
    });
    if offered.iter().all(Option::is_none) {
        return None;
    }
    x.coded.varies = true;
    let accepted = accepted(x);
    let recipe = |coding| offered[coding as usize];
    let may = |coding| recipe(coding).is_some() && takes(x, answer, &accepted, coding);
    accepted.best(may).and_then(recipe)
}

/// Has the answer that says that nothing changed say of the coding what the whole one would say
/// (RFC 9110 section 15.4.5).
pub fn unchanged(x: &mut Exchange, answer: &mut Answer) {
    if gunzip::applies(x, answer) || choose(x, answer).is_some() {
        answer.weaken_etag();
    }
    answer.forget_coding();
}

/// A file that is being coded for an answer.
pub struct Making {
    recipe: Recipe,
    content: Content,
    meta: Meta,
    /// Whether what is made will be kept.
    keeps: bool,
    since: Instant,
    stage: Stage,
}

enum Stage {
    /// It may be there.
    Look,
    /// Somebody else codes it.
    Pause(Instant),
    /// It is read.
    Read(Input, Vec<u8>, Slot, Charge),
    /// A thread codes it.
    Code(Option<(Vec<u8>, Slot)>, Charge),
}

/// Codes the body of an answer, or has it coded while it is sent. It stays as it is where coding it
/// fails.
///
/// # Errors
/// It has to wait, and is to be called again with the same answer.
pub fn filter(x: &mut Exchange, env: &mut dyn Env, answer: &mut Answer) -> Result<(), Need> {
    let mut making = match x.coded.making.take() {
        Some(making) => making,
        None => match begin(x, answer) {
            Some(making) => making,
            None => return Ok(()),
        },
    };
    if x.is_refused() {
        drop(x.woken());
        return Ok(());
    }
    match make(x, env, &mut making) {
        Ok(Some(body)) => {
            x.coded.ratio = Some(Ratio {
                coding: making.recipe.coding,
                from: making.meta.size,
                to: body.len() as u64,
            });
            mark(answer, making.recipe.coding);
            answer.body = Body::Bytes(Bytes::Shared(body));
        }
        Ok(None) => {}
        Err(need) => {
            x.coded.making = Some(making);
            return Err(need);
        }
    }
    Ok(())
}

/// Begins with a file that is worth keeping, or has the body coded while it is sent.
fn begin(x: &mut Exchange, answer: &mut Answer) -> Option<Box<Making>> {
    let recipe = choose(x, answer)?;
    if let Body::File(content, meta) = &answer.body
        && meta.size <= x.site.kept.borrow().largest()
    {
        return Some(Box::new(Making {
            recipe: recipe.for_many(meta.size),
            content: content.clone(),
            meta: *meta,
            keeps: is_settled(x, meta),
            since: x.clock().now(),
            stage: Stage::Look,
        }));
    }
    let stream = stream::begin(x, recipe)?;
    mark(answer, recipe.coding);
    answer.transform(|input| stream.of(input));
    None
}

/// Whether a file that changes again will show it.
fn is_settled(x: &Exchange, meta: &Meta) -> bool {
    let changed = Duration::new(u64::try_from(meta.changed.0).unwrap_or(0), meta.changed.1);
    let settling = match meta.changed.1 {
        0 => SETTLING_COARSE,
        _ => SETTLING,
    };
    x.clock().wall().abs_diff(changed) >= settling
}

/// Says what was done to the body.
fn mark(answer: &mut Answer, coding: Coding) {
    let field = ("Content-Encoding".into(), coding.name().into());
    answer.fields.push(field);
    answer.coding = Some(coding);
    answer.weaken_etag();
    answer.ranges = false;
}

/// The coded body, or none if it cannot be had.
fn make(
    x: &mut Exchange,
    env: &mut dyn Env,
    making: &mut Making,
) -> Result<Option<Arc<[u8]>>, Need> {
    let key = Key::new(&making.meta, making.recipe);
    loop {
        let stage = std::mem::replace(&mut making.stage, Stage::Look);
        making.stage = match stage {
            Stage::Look => match look(x, making, &key) {
                Ok(body) => return Ok(body),
                Err(stage) => stage,
            },
            Stage::Pause(time) => {
                if let Err(need) = x.until(time) {
                    making.stage = Stage::Pause(time);
                    return Err(need);
                }
                Stage::Look
            }
            Stage::Read(mut input, mut bytes, slot, charge) => match input.next(x, env) {
                Ok(Some(chunk)) => {
                    bytes.extend_from_slice(&chunk);
                    Stage::Read(input, bytes, slot, charge)
                }
                Ok(None) => Stage::Code(Some((bytes, slot)), charge),
                Err(Stop::Failed) => return Ok(None),
                Err(Stop::Wait(need)) => {
                    making.stage = Stage::Read(input, bytes, slot, charge);
                    return Err(need);
                }
            },
            Stage::Code(work, charge) => {
                let recipe = making.recipe;
                let job = move || code(recipe, work?);
                let coded = x.job(Lane::Work, "compression", job).inspect_err(|_| {
                    making.stage = Stage::Code(None, charge);
                })?;
                if making.keeps {
                    // It counts from now on.
                    drop(x.site.kept.borrow_mut().look(&key));
                }
                return Ok(coded);
            }
        }
    }
}

fn code(recipe: Recipe, (bytes, slot): (Vec<u8>, Slot)) -> Option<Arc<[u8]>> {
    let body = recipe.encode(&bytes).ok().map(Arc::from);
    slot.set(body.clone()).ok().and(body)
}

/// The body, if it is known or known not to come, or how to go on.
fn look(x: &Exchange, making: &Making, key: &Key) -> Result<Option<Arc<[u8]>>, Stage> {
    let now = x.clock().now();
    let waited = now.saturating_duration_since(making.since);
    let known = match making.keeps {
        true => x.site.kept.borrow_mut().look(key),
        false => Known::Missing(Slot::default()),
    };
    match known {
        Known::Here(body) => Ok(Some(body)),
        Known::Failed => Ok(None),
        Known::Coming if waited > PATIENCE => Ok(None),
        Known::Coming => Err(Stage::Pause(now + PAUSE.max(waited / 4))),
        Known::Missing(slot) => {
            let size = making.meta.size;
            let Some(charge) = Charge::file(x.site, size) else {
                return Ok(None);
            };
            let body = Body::File(making.content.clone(), making.meta);
            let bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            Err(Stage::Read(Input::new(body), bytes, slot, charge))
        }
    }
}

/// Logs that a body could not be coded or decoded.
pub fn failed(x: &Exchange, what: &str, error: &std::io::Error) {
    x.log(
        Level::Error,
        format_args!("{what} failed {}", OsError(error)),
    );
}
