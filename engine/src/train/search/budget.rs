//! What components of an adapter cost, and which are kept for a budget: pure arithmetic.

use serde::{Deserialize, Serialize};

use super::config::Measure;

/// What a rank of a layer's change costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// Rows that go through the layer in one call of the networks: pixels at its resolution, or tokens.
    pub(super) rows: u64,
    /// Columns of its weight, with the taps of its kernel.
    pub(super) inputs: u64,
    /// Rows of its weight.
    pub(super) outputs: u64,
}

impl Cost {
    /// Of one component: a row of the factor down, and a column of the factor up. Of a convolution the factor
    /// down has the layer's kernel and the factor up one of 1 × 1, both at the resolution of the answer.
    pub(super) fn of_one(&self, measure: Measure) -> u64 {
        let parameters = self.inputs + self.outputs;
        match measure {
            Measure::MultiplyAdds => self.rows * parameters,
            Measure::Parameters => parameters,
        }
    }
}

/// What `ranks` cost, a layer each.
pub(super) fn total(costs: &[Cost], ranks: &[usize], measure: Measure) -> u64 {
    costs.iter().zip(ranks).map(|(cost, rank)| cost.of_one(measure) * *rank as u64).sum()
}

/// The components of each layer that are kept: those that matter most for what they cost come first, and one
/// that no longer fits into `budget` leaves its room to cheaper ones. A component without importance is not
/// kept.
pub(super) fn keep(
    costs: &[Cost],
    importance: &[Vec<f64>],
    measure: Measure,
    budget: u64,
) -> Vec<Vec<usize>> {
    let mut all: Vec<(f64, u64, usize, usize)> = Vec::new();
    for (layer, (cost, scores)) in costs.iter().zip(importance).enumerate() {
        let cost = cost.of_one(measure);
        let worth = |score: f64| score / cost.max(1) as f64;
        let scores = scores.iter().enumerate().filter(|(_, score)| **score > 0.0);
        all.extend(scores.map(|(component, score)| (worth(*score), cost, layer, component)));
    }
    // Ties in the order of layers, so that the same importance keeps the same.
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.2, a.3).cmp(&(b.2, b.3))));
    let mut kept = vec![Vec::new(); costs.len()];
    let mut left = budget;
    for (_, cost, layer, component) in all {
        if cost <= left {
            left -= cost;
            kept[layer].push(component);
        }
    }
    for components in &mut kept {
        components.sort_unstable();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: [Cost; 3] = [
        // 3,200 a rank, and 50 weights.
        Cost { rows: 64, inputs: 20, outputs: 30 },
        // 800, and 50.
        Cost { rows: 16, inputs: 40, outputs: 10 },
        // 77, and 7.
        Cost { rows: 11, inputs: 3, outputs: 4 },
    ];

    #[test]
    fn a_rank_costs_its_rows_times_both_sides() {
        let of = |measure| COSTS.map(|cost| cost.of_one(measure));
        assert_eq!(of(Measure::MultiplyAdds), [3200, 800, 77]);
        assert_eq!(of(Measure::Parameters), [50, 50, 7]);
        assert_eq!(total(&COSTS, &[2, 0, 3], Measure::MultiplyAdds), 6631);
        assert_eq!(total(&COSTS, &[2, 1, 3], Measure::Parameters), 171);
    }

    #[test]
    fn what_matters_most_for_its_cost_is_kept_and_nothing_above_the_budget() {
        // Worth a multiply-add: 1/320 and 1/3200; 1/100 and 1/160; 1/770 and none.
        let importance = [vec![10.0, 1.0], vec![8.0, 5.0], vec![0.1, 0.0]];
        let kept = |budget| keep(&COSTS, &importance, Measure::MultiplyAdds, budget);
        let none: Vec<usize> = Vec::new();
        assert_eq!(kept(1_600), [none.clone(), vec![0, 1], none.clone()]);
        assert_eq!(kept(4_800), [vec![0], vec![0, 1], none.clone()]);
        // 3,200 no longer fit beside 1,600 and leave their room to 77.
        assert_eq!(kept(4_799), [none.clone(), vec![0, 1], vec![0]]);
        assert_eq!(kept(76), [none.clone(), none.clone(), none.clone()]);
        // Room for all, and what never mattered stays out.
        assert_eq!(kept(u64::MAX), [vec![0, 1], vec![0, 1], vec![0]]);
        for budget in (0..10_000).step_by(7) {
            let ranks: Vec<usize> = kept(budget).iter().map(Vec::len).collect();
            assert!(total(&COSTS, &ranks, Measure::MultiplyAdds) <= budget);
        }
        // By weights, the costly resolution is as good as any.
        let kept = keep(&COSTS, &importance, Measure::Parameters, 100);
        assert_eq!(kept, [vec![0], vec![0], none]);
    }
}
