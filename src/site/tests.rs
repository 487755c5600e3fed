//! What a site answers, feature by feature.

mod routing;
