import jax
import jax.numpy as jnp
import pytest

from jaxgen.core import BadRequest
from jaxgen.training import devices


def test_placement():
    # Kills: the wrong axis split; a mesh by default on CPU.
    mesh = devices.make_mesh(jax.devices()[:4])
    a = jax.device_put(jnp.zeros((3, 2, 8)), devices.split(mesh, 2))
    assert {shard.data.shape for shard in a.addressable_shards} == {(3, 2, 2)}
    assert devices.default_mesh() is None and devices.split(None, 1) is None and devices.replicated(None) is None


@pytest.mark.parametrize(("size", "says"), [(18, "use 16 or 20"), (3, "use 4")])
def test_batch_that_cannot_be_shared(size, says):
    # Kills: a remainder dropped in silence.
    mesh = devices.make_mesh(jax.devices()[:4])
    with pytest.raises(BadRequest, match=says):
        devices.check_batch(size, mesh)
    devices.check_batch(size, None)
    devices.check_batch(8, mesh)
    with pytest.raises(BadRequest, match="into 2 micro-batches over 4 devices: use 8 or 16"):
        devices.check_batch(12, mesh, micro=2)
