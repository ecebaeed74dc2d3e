use std::fmt::Write as _;
use std::sync::LazyLock;

/// Which face the shop shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// The first design.
    V1,
    /// The redesign.
    V2,
}

/// The paths of all pages.
pub const PATHS: [&str; 8] = [
    "/",
    "/category/teapots",
    "/product/iron-teapot",
    "/product/glass-teapot",
    "/product/travel-cup",
    "/product/iron-teapot/reviews",
    "/search",
    "/contact",
];

/// The page at a path, which may carry a query; `None` where the shop has no such page.
pub fn page(version: Version, path: &str) -> Option<&'static str> {
    macro_rules! both {
        ($name:literal) => {
            match version {
                Version::V1 => include_str!(concat!("../pages/v1/", $name, ".html")),
                Version::V2 => include_str!(concat!("../pages/v2/", $name, ".html")),
            }
        };
    }
    Some(match path.split('?').next().unwrap_or(path) {
        "/" => both!("home"),
        "/category/teapots" => both!("category"),
        "/product/iron-teapot" => both!("iron-teapot"),
        "/product/glass-teapot" => both!("glass-teapot"),
        "/product/travel-cup" => both!("travel-cup"),
        "/product/iron-teapot/reviews" => match version {
            Version::V1 => &REVIEWS_V1,
            Version::V2 => &REVIEWS_V2,
        },
        "/search" => both!("search"),
        "/contact" => both!("contact"),
        _ => return None,
    })
}

/// Twelve reviews on a page, as long as there was pagination.
static REVIEWS_V1: LazyLock<String> =
    LazyLock::new(|| reviews(include_str!("../pages/v1/reviews.html"), 12));

/// The redesign drops the pagination: every review is on the page.
static REVIEWS_V2: LazyLock<String> =
    LazyLock::new(|| reviews(include_str!("../pages/v2/reviews.html"), 6000));

fn reviews(template: &str, count: usize) -> String {
    const WRITERS: [&str; 5] = ["Ada", "Bo", "Chidi", "Dagny", "Emre"];
    const VERDICTS: [&str; 4] = [
        "Keeps the heat for two hours and pours without a drip.",
        "Heavier than I thought, and better for it.",
        "The lid sits tight; the basket takes large leaves.",
        "A scratch on arrival, mended at once without a fuss.",
    ];
    let mut markup = String::new();
    for n in 0..count {
        let (writer, verdict) = (WRITERS[n % WRITERS.len()], VERDICTS[n % VERDICTS.len()]);
        let stars = 3 + n % 3;
        writeln!(
            markup,
            "<article class=\"review\" id=\"r{n}\"><header><b>{writer}</b> <span \
             class=\"stars\">{stars}</span></header><p class=\"body\">{verdict}</p></article>"
        )
        .expect("writing to a string cannot fail");
    }
    template.replace("<!-- reviews -->", &markup)
}
