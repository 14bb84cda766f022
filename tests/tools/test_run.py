"""`trtnet run` and what it names: what is missing is an error that says what to give."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import trtnet
from trtnet.support.errors import InputError, ModelError
from trtnet.tools.run import call, read_inputs, save
from trtnet.tools.targets.model_file import factory_in
from trtnet.verify.arrays.saved import read_iterations, read_npz


def test_a_missing_input_says_which_options_give_it() -> None:
    reference = trtnet.define(trtnet.nn.ReLU(), {"x": trtnet.Input((2,))}).reference()
    text = r"input x \[2\] float32 is missing: give --input x=FILE.npy, or --random 0 for random values"
    with pytest.raises(InputError, match=text):
        call(reference, {})


def test_a_file_without_a_name_in_it_is_told_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("class Net: pass\ndef make(): pass\ndef _hidden(): pass\n")
    with pytest.raises(ModelError, match=r"'net.py' names no factory; .*, such as net.py:Net or net.py:make$"):
        factory_in("net.py")
    Path("net.py").write_text("class Net(\n")
    with pytest.raises(ModelError, match=r"names no factory; write it as path/to/file.py:factory$"):
        factory_in("net.py")


def test_saved_outputs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cannot read .*o.npz: No such file or directory$"):
        read_npz(tmp_path / "o.npz")


@pytest.mark.parametrize("name", ["o.npz", "o.json"])
def test_saved_outputs_of_any_dtype_and_name_are_read_again(name: str, tmp_path: Path) -> None:
    save({"file": np.ones(2, ml_dtypes.bfloat16), "allow_pickle": np.arange(3)}, tmp_path / name)
    (found,) = read_iterations(tmp_path / name)
    assert found["file"].tolist() == [1, 1] and found["allow_pickle"].tolist() == [0, 1, 2]


def test_an_index_of_no_row_is_an_error_before_the_call() -> None:
    network = trtnet.define(
        trtnet.nn.Embedding(4, 2), {"ids": trtnet.Input(("n",), "int64")}, {"weight": np.ones((4, 2))}
    )
    assert [info.rows for info in network.describe().inputs] == [4]
    network.reference()(np.array([-4, 3]))
    with pytest.raises(InputError, match=r"input ids \[n\] int64: the index 4 is out of range: its table has 4 rows"):
        call(network.reference(), {"ids": np.array([0, 4])})
    with pytest.raises(InputError, match=r"the index -5 is out of range"):
        call(network.reference(), {"ids": np.array([-5, 3])})


def test_an_input_that_there_is_not_is_named(tmp_path: Path) -> None:
    reference = trtnet.define(trtnet.nn.ReLU(), {"image": trtnet.Input((2,))}).reference()
    with pytest.raises(InputError, match=r"^there is no input 'images'; did you mean image\?$"):
        call(reference, {"images": np.zeros(2, np.float32)})
    np.savez(tmp_path / "x.npz", a=np.zeros(2), b=np.zeros(2))
    with pytest.raises(InputError, match=r"^input image: .*x\.npz is an archive of a, b: save one array for an input"):
        read_inputs({"image": str(tmp_path / "x.npz")})
