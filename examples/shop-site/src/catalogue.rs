/// What the redesign does to a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Works as before.
    Healthy,
    /// No strategy finds anything any more.
    Breaks,
    /// The first strategy finds nothing, the second does.
    FallsBack,
    /// Finds the same, on a page with a hundred times as many nodes.
    Slows,
    /// Still finds, but more than it should, and not all of it is right.
    LosesConfidence,
    /// Finds nothing, and that is fine: it is there only now and then.
    Absent,
}

/// The check a found value must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is not empty.
    NonEmpty,
    /// It is a number or an amount of money.
    Number,
    /// It contains this text.
    Contains(&'static str),
    /// Nothing is checked.
    Nothing,
}

/// A selector somebody scraping the shop's first version would have written. Plain data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShopSelector {
    /// Its stable name.
    pub name: &'static str,
    /// The page it is for.
    pub path: &'static str,
    /// Kind and text of each strategy, in the order they are tried.
    pub strategies: &'static [(&'static str, &'static str)],
    /// The least and the most matches; no most means no limit.
    pub expected: (usize, Option<usize>),
    /// The check on each value.
    pub check: Check,
    /// The least confidence to accept, 0–1.
    pub threshold: f64,
    /// Its absence is normal.
    pub optional: bool,
    /// What becomes of it in the second version.
    pub fate: Fate,
}

const HEALTHY: ShopSelector = ShopSelector {
    name: "",
    path: "",
    strategies: &[],
    expected: (1, Some(1)),
    check: Check::NonEmpty,
    threshold: 0.8,
    optional: false,
    fate: Fate::Healthy,
};

/// The selectors, with what the change from the first version to the second does to each.
pub fn catalogue() -> Vec<ShopSelector> {
    let teapot = "/product/iron-teapot";
    vec![
        ShopSelector {
            name: "shop.home.tagline",
            path: "/",
            strategies: &[("css", ".hero h1"), ("role", "heading \"Tea things, made to last\"")],
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.category.items",
            path: "/category/teapots",
            strategies: &[("css", "ul.grid > li.card"), ("xpath", "//main//li[.//a]")],
            expected: (3, None),
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.category.prices",
            path: "/category/teapots",
            strategies: &[("css", "li.card .price::text")],
            expected: (3, None),
            check: Check::Number,
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.search.links",
            path: "/search?q=tea",
            strategies: &[("css", ".results .result a::attr(href)")],
            expected: (1, None),
            check: Check::Contains("/product/"),
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.contact.phone",
            path: "/contact",
            strategies: &[("text_anchor", "Phone"), ("css", "dl.facts dd:first-of-type")],
            check: Check::Contains("+44"),
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.contact.email_field",
            path: "/contact",
            strategies: &[("label", "Your e-mail"), ("attribute", "type=email")],
            check: Check::Nothing,
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.title",
            path: teapot,
            strategies: &[("css", "h1.product-title"), ("role", "heading")],
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.breadcrumb",
            path: teapot,
            strategies: &[("xpath", "//nav[@aria-label='Breadcrumb']//li")],
            expected: (2, None),
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.buy_button",
            path: teapot,
            strategies: &[("role", "button \"Add to basket\""), ("css", ".buy button")],
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.stock",
            path: teapot,
            strategies: &[("css", ".stock-badge"), ("xpath", "//p[@id='availability']")],
            fate: Fate::Breaks,
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.rating",
            path: teapot,
            strategies: &[("css", "#rating .score::text"), ("attribute", "itemprop=ratingValue")],
            check: Check::Number,
            fate: Fate::FallsBack,
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.price",
            path: teapot,
            strategies: &[("css", ".buy .price")],
            check: Check::Number,
            threshold: 0.5,
            fate: Fate::LosesConfidence,
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.product.sale_badge",
            path: teapot,
            strategies: &[("css", ".sale-badge")],
            optional: true,
            fate: Fate::Absent,
            ..HEALTHY
        },
        ShopSelector {
            name: "shop.reviews.bodies",
            path: "/product/iron-teapot/reviews",
            strategies: &[(
                "xpath",
                "//article[contains(@class, 'review')]//p[contains(@class, 'body')]",
            )],
            expected: (1, None),
            fate: Fate::Slows,
            ..HEALTHY
        },
    ]
}
