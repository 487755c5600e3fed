//! What is served: servers and locations, how a request finds its own, and how it is answered.
//! It knows no sockets, no processes and no threads; nothing in here blocks.
//!
//! A feature is one file, one line in the list of modules below, and one line in `run` for each
//! phase it acts in.

pub mod access;
pub mod access_log;
pub mod addition;
pub mod address;
pub mod answer;
pub mod auth_basic;
pub mod auth_request;
pub mod body;
pub mod brotli;
pub mod browser;
pub mod charset;
pub mod clock;
pub mod compression;
pub mod conditional;
pub mod dav;
pub mod draft;
pub mod empty_gif;
pub mod endpoints;
pub mod env;
pub mod error_log;
pub mod error_page;
pub mod exchange;
pub mod filter;
pub mod flv;
pub mod forwarded;
pub mod geo;
pub mod gunzip;
pub mod gzip;
pub mod gzip_static;
pub mod headers;
pub mod index;
pub mod internal;
pub mod limit_conn;
pub mod limit_except;
pub mod limit_rate;
pub mod limit_req;
pub mod limited;
pub mod limits;
pub mod listen;
pub mod listing;
pub mod locate;
pub mod location;
pub mod map;
pub mod matching;
pub mod mime;
pub mod mirror;
pub mod mp4;
pub mod names;
pub mod numbering;
pub mod open_files;
pub mod pages;
pub mod post_action;
pub mod random_index;
pub mod ranges;
pub mod reach;
pub mod realip;
pub mod redirect;
pub mod referer;
pub mod rewrite;
pub mod root;
pub mod run;
pub mod satisfy;
pub mod scope;
pub mod secure_link;
pub mod server;
pub mod sizing;
pub mod source;
pub mod split_clients;
pub mod ssi;
pub mod static_file;
pub mod stub_status;
pub mod sub;
pub mod subrequest;
pub mod symlinks;
pub mod syslog;
pub mod template;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod traffic;
pub mod transport;
pub mod try_files;
pub mod typeset;
pub mod unbuilt;
pub mod userid;
pub mod variables;
pub mod wildcard;
pub mod zones;
pub mod zstd;

use std::rc::Rc;

use crate::conf::table::{Directive, Holds};
use draft::Draft;
use scope::Scope;

/// Declares the modules: those whose values blocks inherit, and those each block has for itself.
macro_rules! modules {
    (
        inherited { $($(#[doc = $doc:literal])+ $field:ident: $Module:ty,)+ }
        own { $($(#[doc = $own_doc:literal])+ $own:ident: $Own:ty,)+ }
    ) => {
        /// Values of all modules that a block takes over from the block around it.
        #[derive(Clone, Debug, Default)]
        pub struct Values {
            $($(#[doc = $doc])+ pub $field: Rc<$Module>,)+
        }

        /// Values that hold for one block alone.
        #[derive(Clone, Debug, Default)]
        pub struct Own {
            $($(#[doc = $own_doc])+ pub $own: $Own,)+
        }

        $(impl Holds<$Module> for Scope {
            fn module(&mut self) -> &mut $Module {
                Rc::make_mut(&mut self.values.$field)
            }
        })+

        $(impl Holds<$Own> for Scope {
            fn module(&mut self) -> &mut $Own {
                &mut self.own.$own
            }
        })+

        fn module_directives() -> Vec<Directive<Scope, Draft>> {
            let mut rows = Vec::new();
            $(rows.extend(<$Module>::directives());)+
            $(rows.extend(<$Own>::directives());)+
            rows
        }
    };
}

modules! {
    inherited {
        /// How clients are known again.
        userid: userid::UserId,
        /// How links are checked.
        secure_link: secure_link::SecureLink,
        /// Whether any file may stand for its directory.
        random_index: random_index::RandomIndex,
        /// Who may see it.
        access: access::Access,
        /// What some browsers need.
        allowances: error_page::allowances::Allowances,
        /// Where requests are logged.
        access_log: access_log::AccessLog,
        /// Pages around an answer.
        addition: addition::Addition,
        /// Names and passwords.
        auth_basic: auth_basic::AuthBasic,
        /// Another location decides who may see it.
        auth_request: auth_request::AuthRequest,
        /// Bodies of requests.
        body: body::Body,
        /// Charsets.
        charset: charset::Charset,
        /// Coding with brotli.
        brotli: brotli::Brotli,
        /// Files coded with brotli beforehand.
        brotli_static: brotli::BrotliStatic,
        /// Coded files.
        compression: compression::Compression,
        /// Validators and conditional requests.
        conditional: conditional::Conditional,
        /// Changing files by requests.
        dav: dav::Dav,
        /// Where errors are logged.
        error_log: error_log::ErrorLog,
        /// Pages in place of errors.
        error_page: error_page::ErrorPages,
        /// Decoding.
        gunzip: gunzip::Gunzip,
        /// Coding with gzip.
        gzip: gzip::Gzip,
        /// Files coded with gzip beforehand.
        gzip_static: gzip_static::GzipStatic,
        /// Fields added to answers.
        headers: headers::Headers,
        /// Index files.
        index: index::Index,
        /// How many requests are answered at the same time.
        limit_conn: limit_conn::LimitConn,
        /// How fast an answer is sent.
        limit_rate: limit_rate::LimitRate,
        /// How often something may be asked for.
        limit_req: limit_req::LimitReq,
        /// What is read of a request's head.
        limits: limits::Limits,
        /// Listings of directories.
        listing: listing::Listing,
        /// Media types.
        mime: mime::Mime,
        /// How films are entered.
        mp4: mp4::Mp4,
        /// Limits of pattern matching.
        matching: matching::Matching,
        /// Which answers of the file system are used again.
        open_files: open_files::OpenFileCache,
        /// Parts of a file.
        ranges: ranges::Ranges,
        /// Whose address counts behind proxies.
        realip: realip::RealIp,
        /// How redirects are written.
        redirect: redirect::Redirect,
        /// Pages that may link here.
        referers: referer::Referers,
        /// What is said while instructions are followed.
        rewriting: rewrite::Rewriting,
        /// Requests that are made once more.
        mirror: mirror::Mirror,
        /// What is done when a request is over.
        post_action: post_action::PostAction,
        /// Where files are.
        root: root::Root,
        /// How access checks go together.
        satisfy: satisfy::Satisfy,
        /// Sizes that size themselves here.
        sizing: sizing::Sizing,
        /// Server-side includes.
        ssi: ssi::Includes,
        /// Files as answers.
        static_file: static_file::StaticFile,
        /// Which symlinks are followed.
        symlinks: symlinks::Symlinks,
        /// Strings replaced in answers.
        sub: sub::Sub,
        /// Exchanges within others.
        subrequest: subrequest::Subrequest,
        /// How the server names itself.
        tokens: tokens::Tokens,
        /// Time-outs, keep-alive and the ways bytes are sent.
        transport: transport::Transport,
        /// Coding with zstd.
        zstd: zstd::Zstd,
        /// Files coded with zstd beforehand.
        zstd_static: zstd::ZstdStatic,
    }
    own {
        /// Whether the answer is a picture of nothing.
        empty_gif: empty_gif::EmptyGif,
        /// Whether files are films.
        films: mp4::Films,
        /// Whether files are Flash videos.
        flv: flv::Flv,
        /// Variables from addresses.
        geo: geo::Geo,
        /// Whether only internal redirects reach it.
        internal: internal::Internal,
        /// Where the server listens.
        listen: listen::Listen,
        /// What the server is called.
        names: names::Names,
        /// Variables that are made of others.
        maps: map::Maps,
        /// Groups of clients.
        split_clients: split_clients::SplitClients,
        /// Instructions of the block.
        program: rewrite::Program,
        /// A page about connections.
        stub_status: stub_status::StubStatus,
        /// Files to try.
        try_files: try_files::TryFiles,
    }
}

/// Plans what a block takes, once all is known that it says.
fn settle(values: &Values, draft: &mut Draft) {
    body::settle(values, draft);
    dav::settle(values, draft);
    mirror::settle(values, draft);
    referer::settle(values, draft);
}

impl Values {
    /// What a block within starts from: the same, but for what has to know that it is another.
    fn within(&self) -> Values {
        let headers = self.headers.within();
        Values {
            headers: headers.map_or_else(|| self.headers.clone(), Rc::new),
            ..self.clone()
        }
    }
}

/// Every directive of the `http` block and within.
pub fn directives() -> Vec<Directive<Scope, Draft>> {
    let mut rows = scope::directives();
    rows.extend(module_directives());
    rows
}
