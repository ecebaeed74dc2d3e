/// An isolation forest over points of two dimensions (Liu, Ting, Zhou, ICDM 2008).
///
/// Trees are grown without the point that is judged, so no cut could set a point apart that lies
/// beyond them all. A cut therefore only adds to the path of a point within its acceptable range
/// (Liu, Ting, Zhou, "On Detecting Clustered Anomalies Using SCiForest", ECML 2010).
#[derive(Clone, Debug)]
pub(super) struct Forest {
    trees: Vec<Vec<Node>>,
    /// Path length that is average for the size of the trees' samples.
    average: f64,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    /// Points that are left, 1 or more where the tree ends early.
    Leaf(usize),
    /// Left is the next node.
    Cut { dimension: usize, at: f64, reach: f64, right: usize },
}

impl Forest {
    pub(super) fn grow(points: &[[f64; 2]], trees: usize, samples: usize, seed: u64) -> Self {
        let samples = samples.min(points.len());
        let deepest = (samples.max(2) as f64).log2().ceil() as usize;
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        let trees = (0..trees)
            .map(|_| {
                let mut pool = points.to_vec();
                for at in 0..samples {
                    let other = at + random.below(pool.len() - at);
                    pool.swap(at, other);
                }
                let mut nodes = Vec::new();
                split(&mut pool[..samples], deepest, &mut random, &mut nodes);
                nodes
            })
            .collect();
        Self { trees, average: average_path(samples) }
    }

    /// 2 to the power of −(mean path ÷ average path): towards 1 for what is set apart by few cuts,
    /// about 0.5 for what is ordinary.
    pub(super) fn score(&self, point: [f64; 2]) -> f64 {
        if self.average <= 0.0 {
            return 0.5;
        }
        let total: f64 = self.trees.iter().map(|tree| path(tree, point)).sum();
        (-(total / self.trees.len() as f64) / self.average).exp2()
    }
}

fn split(points: &mut [[f64; 2]], depth: usize, random: &mut Random, nodes: &mut Vec<Node>) {
    let ranges = [0, 1].map(|dimension| {
        points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point[dimension]), high.max(point[dimension]))
        })
    });
    let varied: Vec<usize> = (0..2).filter(|it| ranges[*it].0 < ranges[*it].1).collect();
    if depth == 0 || points.len() <= 1 || varied.is_empty() {
        nodes.push(Node::Leaf(points.len()));
        return;
    }
    let dimension = varied[random.below(varied.len())];
    let (low, high) = ranges[dimension];
    let at = low + random.share() * (high - low);
    points.sort_unstable_by(|one, other| one[dimension].total_cmp(&other[dimension]));
    // At least one point on each side, whatever rounding made of the cut.
    let place = points.partition_point(|point| point[dimension] < at).clamp(1, points.len() - 1);
    let cut = nodes.len();
    nodes.push(Node::Leaf(0));
    let (left, rest) = points.split_at_mut(place);
    split(left, depth - 1, random, nodes);
    nodes[cut] = Node::Cut { dimension, at, reach: high - low, right: nodes.len() };
    split(rest, depth - 1, random, nodes);
}

fn path(tree: &[Node], point: [f64; 2]) -> f64 {
    let (mut at, mut cuts) = (0, 0.0);
    loop {
        match tree[at] {
            Node::Leaf(left) => return cuts + average_path(left),
            Node::Cut { dimension, at: value, reach, right } => {
                if (point[dimension] - value).abs() <= reach {
                    cuts += 1.0;
                }
                at = if point[dimension] < value { at + 1 } else { right };
            }
        }
    }
}

/// Mean path of an unsuccessful search in a binary search tree of so many points.
fn average_path(points: usize) -> f64 {
    match points {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let points = points as f64;
            const EULER: f64 = 0.577_215_664_901_532_9;
            2.0 * ((points - 1.0).ln() + EULER) - 2.0 * (points - 1.0) / points
        }
    }
}

/// splitmix64 (Steele, Lea, Flood, OOPSLA 2014): the same cuts for the same seed everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        ((self.share() * limit as f64) as usize).min(limit - 1)
    }
}
