//! Help and version, in nginx's form where nginx has one.

use std::env::consts::{ARCH, OS};

use crate::master::load;

/// The version as nginx writes its own.
const VERSION: &str = concat!("forkful/", env!("CARGO_PKG_VERSION"));

/// Modules that nginx builds unless told otherwise.
const USUAL: [&str; 31] = [
    "http_access",
    "http_auth_basic",
    "http_autoindex",
    "http_browser",
    "http_charset",
    "http_empty_gif",
    "http_fastcgi",
    "http_geo",
    "http_grpc",
    "http_gzip",
    "http_limit_conn",
    "http_limit_req",
    "http_map",
    "http_memcached",
    "http_mirror",
    "http_proxy",
    "http_referer",
    "http_rewrite",
    "http_scgi",
    "http_split_clients",
    "http_ssi",
    "http_tunnel",
    "http_upstream_hash",
    "http_upstream_ip_hash",
    "http_upstream_keepalive",
    "http_upstream_least_conn",
    "http_upstream_random",
    "http_upstream_sticky",
    "http_upstream_zone",
    "http_userid",
    "http_uwsgi",
];

/// Modules that nginx builds when it is told to.
const ASKED_FOR: [&str; 14] = [
    "http_addition",
    "http_auth_request",
    "http_dav",
    "http_flv",
    "http_gunzip",
    "http_gzip_static",
    "http_mp4",
    "http_random_index",
    "http_realip",
    "http_secure_link",
    "http_ssl",
    "http_stub_status",
    "http_sub",
    "http_v2",
];

/// `-v`, and `-V` with `details`: how it was built, in a form that tools read to see what nginx can
/// do.
pub fn version(details: bool) -> String {
    let mut text = format!("forkful version: {VERSION}\n");
    if details {
        text += &format!("built for {ARCH} {OS}\nconfigure arguments:");
        text += " --conf-path=conf/forkful.conf --error-log-path=logs/error.log";
        text += " --pid-path=logs/nginx.pid";
        let is_built_in = |name: &&str| load::is_built_in(format!("ngx_{name}_module").as_bytes());
        for name in USUAL.iter().filter(|name| !is_built_in(name)) {
            text += &format!(" --without-{name}_module");
        }
        for name in ASKED_FOR.iter().filter(|name| is_built_in(name)) {
            text += &format!(" --with-{name}_module");
        }
        text += " --with-threads";
        text.push('\n');
    }
    text
}

/// `-h`: one screen.
pub fn help() -> String {
    version(false) + OPTIONS + "\n`forkful --help` says more.\n"
}

/// `--help`: all of it.
pub fn long_help() -> String {
    version(false) + OPTIONS + MORE
}

const OPTIONS: &str = "\
Usage: forkful [-?hvVtTq] [-s signal] [-p prefix]
               [-e filename] [-c filename] [-g directives]
       forkful serve DIRECTORY [--listen ADDRESS]
       forkful directives [NAME]
       forkful status [--json] [-p prefix] [-c filename]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t [file]     : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: the current directory)
  -e filename   : set error log file (default: logs/error.log)
  -c filename   : set configuration file (default: conf/forkful.conf)
  -g directives : set global directives out of configuration file
  --help        : all of the help
  --version     : as -v
";

const MORE: &str = "
Without a command, forkful serves what its configuration says, in the language
of nginx.conf. With neither -c nor a file PREFIX/conf/forkful.conf, it serves
the prefix itself, as `forkful serve` does.

Commands:
  serve DIRECTORY
      Serve the files of a directory without a configuration, in the
      foreground. A directory without index.html is listed.
      --listen ADDRESS  what nginx's `listen` takes (default: 127.0.0.1:8080)
  directives
      Print the reference of all directives.
  directives NAME
      Print the reference of one.
  status
      Print how the running server is: its generations, workers and addresses,
      what was restarted and why, what came of the last reload.
      --json            the same for programs, on one line
      -p, -c, -g        as given to the start; they lead to the pid file

Paths:
  -c, -e and the paths of the configuration are relative to the prefix; those
  of `include` are relative to the directory of the configuration file. The pid
  file is logs/nginx.pid and the error log logs/error.log, unless the
  configuration says otherwise; where PREFIX/logs does not exist, there is no
  pid file, and errors go to stderr. `-e stderr` always sends them there.

Signals to the master:
  TERM, INT     : stop at once (-s stop)
  QUIT          : finish the running requests, then stop (-s quit)
  HUP           : load the configuration again (-s reload); if it cannot be
                  served, the old one goes on. `-s reload` waits for the
                  outcome: 0 if the new one serves, else 1 and the reason
  USR1          : reopen the logs (-s reopen)
  WINCH         : finish the running requests and retire the workers, until the
                  next HUP; only when daemonised
  Closing the terminal of a server in the foreground acts as QUIT.

Environment:
  NGINX         : numbers of listening sockets to take over, as in \"3;4;\"

Exit codes:
  0             : stopped as asked, or the test passed, or reloaded
  1             : the command line, the configuration or the system refused;
                  standard error says why
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_form_of_nginx() {
        assert_eq!(version(false), format!("forkful version: {VERSION}\n"));
        let details = version(true);
        let line = details
            .lines()
            .find(|line| line.starts_with("configure arguments: "));
        let line = line.expect("a line that tools look for");
        assert!(line.contains(" --without-http_proxy_module"));
        assert!(line.contains(" --with-http_realip_module"));
        assert!(!line.contains("http_autoindex_module"));
    }

    #[test]
    fn help_names_every_option_and_fits_a_terminal() {
        for option in [
            "-?,-h", "-v", "-V", "-t", "-T", "-q", "-s", "-p", "-e", "-c", "-g",
        ] {
            assert!(help().contains(&format!("\n  {option} ")), "{option}");
        }
        for word in ["serve", "--listen", "directives", "status", "NGINX", "HUP"] {
            assert!(long_help().contains(word), "{word}");
        }
        assert!(long_help().lines().all(|line| line.len() <= 80));
        assert!(help().lines().count() <= 24);
    }
}
