//! Variables of nginx modules that are not here. Log formats name them everywhere, and without
//! the module they have no value: a log shows `-`, as nginx's does where the module did nothing.
//! Those that have a value whatever the module did are declared with the request's.

use super::{Declared, Exchange};

pub const DECLARED: Declared = Declared {
    variables: &[
        ("ancient_browser", nothing),
        ("fastcgi_path_info", nothing),
        ("geoip_area_code", nothing),
        ("geoip_city", nothing),
        ("geoip_city_continent_code", nothing),
        ("geoip_city_country_code", nothing),
        ("geoip_city_country_code3", nothing),
        ("geoip_city_country_name", nothing),
        ("geoip_country_code", nothing),
        ("geoip_country_code3", nothing),
        ("geoip_country_name", nothing),
        ("geoip_dma_code", nothing),
        ("geoip_latitude", nothing),
        ("geoip_longitude", nothing),
        ("geoip_org", nothing),
        ("geoip_postal_code", nothing),
        ("geoip_region", nothing),
        ("geoip_region_name", nothing),
        ("grpc_internal_trailers", nothing),
        ("http2", nothing),
        ("http3", nothing),
        ("modern_browser", nothing),
        ("msie", nothing),
        ("proxy_add_via", nothing),
        ("proxy_host", nothing),
        ("proxy_internal_body_length", nothing),
        ("proxy_internal_chunked", nothing),
        ("proxy_port", nothing),
    ],
    families: &[("ssl_", nothing_by_name), ("upstream_", nothing_by_name)],
    settable: &[],
};

fn nothing(_: &Exchange, _: &mut Vec<u8>) -> bool {
    false
}

fn nothing_by_name(_: &Exchange, _: &[u8], _: &mut Vec<u8>) -> bool {
    false
}
