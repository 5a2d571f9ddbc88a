"""Mean and covariance of features, from all rows at once or from sums that grow with every batch.

Definition, over rows x_1 ... x_N of D features, with ddof 1 (divide by N - 1) or 0 (divide by N):

    mean = sum x / N,   covariance = sum (x - mean)(x - mean)^T / (N - ddof)

`GaussianSums` never holds the rows. It keeps N, sum (x - s) and sum (x - s)(x - s)^T in float64 for a
shift s. With the mean of the first batch as s nothing cancels, however far the features are from 0.
Sums of the same shift merge by addition, state by state; of different shifts they are moved first.

When it misleads. Sums depend in their last bits on the order of batches, as all sums of rounded
numbers do: about 1e-15 of the covariance. And with shift 0 digits cancel: of 16 those of
|mean|^2 / trace(covariance) are lost.

Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The American
Statistician 37, 1983.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["GaussianSums", "gaussian"]

Array = npt.NDArray[np.float64]


@dataclass(eq=False)
class GaussianSums:
    """Sums from which mean and covariance follow; they grow in place.

    Args:
        count: rows seen, int64, a scalar.
        shift: what is taken from each row before it is summed, float64, [D].
        first: sum of shifted rows, float64, [D].
        second: sum of outer products of shifted rows, float64, [D, D].

    Example:
        >>> rows = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
        >>> one, other = GaussianSums.of(rows[:2]), GaussianSums.of(rows[2:])
        >>> mean, covariance = one.merge(other).moments()
        >>> mean.tolist(), covariance.tolist()
        ([2.0, 2.0], [[4.0, 3.0], [3.0, 3.0]])
    """

    count: Tensor
    shift: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def empty(cls, width: int, shift: Tensor | None = None) -> GaussianSums:
        """No rows yet; without a `shift` none is taken."""
        shift = torch.zeros(width, dtype=torch.float64) if shift is None else shift.detach().to("cpu", torch.float64)
        if shift.shape != (width,):
            raise ValueError(f"the shift has shape {list(shift.shape)}; features are {width} wide.")
        square = torch.zeros(width, width, dtype=torch.float64)
        return cls(torch.zeros((), dtype=torch.int64), shift, torch.zeros_like(shift), square)

    @classmethod
    def of(cls, rows: Tensor) -> GaussianSums:
        """The sums of `rows` [N, D], shifted by their own mean: the way to begin."""
        if rows.ndim != 2 or len(rows) == 0:
            raise ValueError(f"sums begin with a matrix [N, D] of at least one row; got {list(rows.shape)}.")
        return cls.empty(rows.shape[1], rows.detach().to(torch.float64).mean(0)).add(rows)

    @property
    def width(self) -> int:
        return len(self.shift)

    def add(self, rows: Tensor) -> GaussianSums:
        """Take in `rows` [N, D], and return these same sums.

        Raises:
            ValueError: another shape, or a number that is not finite; nothing was added then.
        """
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(f"rows have shape {list(rows.shape)}; these are sums of rows [N, {self.width}].")
        if not bool(torch.isfinite(rows).all()):
            raise ValueError("rows must be finite; sums cannot forget a NaN.")
        shifted = rows.detach().to(self.second.device, torch.float64) - self.shift
        self.count += len(rows)
        self.first += shifted.sum(0)
        self.second.addmm_(shifted.T, shifted)  # in place: a temporary would be another D x D
        return self

    def merge(self, other: GaussianSums) -> GaussianSums:
        """The sums of both, about the shift of these; neither is changed.

        Raises:
            ValueError: features of another width.
        """
        if other.width != self.width:
            raise ValueError(f"sums of features {self.width} and {other.width} wide cannot be merged.")
        moved = other.first + other.count * (other.shift - self.shift)
        second = self.second + other.second
        if not torch.equal(self.shift, other.shift):
            step = other.shift - self.shift
            cross = torch.outer(other.first, step)
            second += cross + cross.T + other.count * torch.outer(step, step)
        return GaussianSums(self.count + other.count, self.shift.clone(), self.first + moved, second)

    def moments(self, ddof: int = 1) -> tuple[Array, Array]:
        """Mean [D] and covariance [D, D], divided by N - ddof.

        Raises:
            ValueError: no more than `ddof` rows.
        """
        count = int(self.count)
        if count <= ddof:
            raise ValueError(f"a covariance with divisor N - {ddof} needs more than {ddof} rows; there are {count}.")
        mean = self.first / count
        covariance = self.second.addr(mean, mean, alpha=-count).div_(count - ddof)
        return (self.shift + mean).cpu().numpy(), covariance.cpu().numpy()


def gaussian(rows: Array, ddof: int = 1) -> tuple[Array, Array]:
    """Mean [D] and covariance [D, D] of features [N, D] in float64, divided by N - ddof."""
    mean = rows.mean(0, dtype=np.float64)
    shifted = rows - mean
    return mean, shifted.T @ shifted / (len(rows) - ddof)
