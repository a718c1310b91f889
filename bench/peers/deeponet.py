"""DeepONet in PyTorch and SciPy, the way its authors compute it: the peer of `offprint bench deeponet --peer PYTHON`.

Benches: `cartesian`, every function at every point; `step` and `step-stacked`, a training step on pairs of a function and
a point; `pendulum-data`, the answers of the pendulum to functions of a random field, as the released code has it: one
`solve_ivp` with default tolerance a function, over a cubic interpolation of the function's grid. The last needs scipy.
"""

import torch
from peer import serve
from torch import nn


class DeepONet(nn.Module):
    """Branch and trunk of one hidden layer, the trunk's output through the activation; optionally a stacked branch."""

    def __init__(self, sensors, width, stacked):
        super().__init__()
        self.stacked = stacked
        if stacked:
            first, last = torch.empty(width, sensors, width), torch.empty(width, width)
            self.first = nn.Parameter(nn.init.normal_(first, std=0.1))
            self.first_bias = nn.Parameter(torch.zeros(width, width))
            self.last = nn.Parameter(nn.init.normal_(last, std=0.1))
            self.last_bias = nn.Parameter(torch.zeros(width))
        else:
            self.branch = nn.Sequential(nn.Linear(sensors, width), nn.ReLU(), nn.Linear(width, width))
        self.trunk = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.bias = nn.Parameter(torch.zeros(1))

    def functions(self, u):
        if not self.stacked:
            return self.branch(u)
        hidden = torch.relu(torch.einsum("bi,nij->bnj", u, self.first) + self.first_bias)
        return torch.einsum("bni,ni->bn", hidden, self.last) + self.last_bias

    def forward(self, u, y):
        return torch.einsum("bi,bi->b", self.functions(u), self.trunk(y)) + self.bias


def cartesian(functions=1000, points=10_000, sensors=100, width=40):
    model = DeepONet(sensors, width, stacked=False)
    u, y = torch.randn(functions, sensors), torch.randn(points, 1)

    @torch.no_grad()
    def run():
        torch.einsum("bi,ni->bn", model.functions(u), model.trunk(y)) + model.bias

    return run


def training_step(batch, sensors, width, stacked):
    model = DeepONet(sensors, width, stacked)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    u, y, s = torch.randn(batch, sensors), torch.randn(batch, 1), torch.randn(batch)

    def run():
        optimizer.zero_grad()
        torch.mean((model(u, y) - s) ** 2).backward()
        optimizer.step()

    return run


def step(batch=10_000, sensors=100, width=40):
    return training_step(batch, sensors, width, stacked=False)


def step_stacked(batch=1000, sensors=100, width=40):
    return training_step(batch, sensors, width, stacked=True)


def pendulum_data(functions=20, points=100, grid=1000):
    import numpy as np
    from scipy.integrate import solve_ivp
    from scipy.interpolate import interp1d

    x = np.linspace(0, 1, grid)
    covariance = np.exp(-0.5 * ((x[:, None] - x) / 0.2) ** 2)
    factor = np.linalg.cholesky(covariance + 1e-10 * np.eye(grid))
    values = (factor @ np.random.default_rng(1).standard_normal((grid, functions))).T
    times = np.linspace(0, 1, points)

    def run():
        for value in values:
            u = interp1d(x, value, kind="cubic", copy=False, assume_sorted=True)
            solve_ivp(lambda t, s, u=u: [s[1], -np.sin(s[0]) + u(t)], [0, 1], [0, 0], t_eval=times)

    return run


BENCHES = {"cartesian": cartesian, "step": step, "step-stacked": step_stacked, "pendulum-data": pendulum_data}

if __name__ == "__main__":
    serve(BENCHES)
