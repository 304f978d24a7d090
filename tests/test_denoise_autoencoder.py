"""The autoencoders and the image encoder of the library: whose files they read, and what they refuse."""

import numpy as np
import pytest
import torch

from mimo_core.denoise.autoencoder import ATTENTION_RENAMES, Autoencoder, rename_taesd
from mimo_core.denoise.image_encoder import build_image_encoder, embed_picture, infer_vision_config
from mimo_core.denoise.options import _choose_vae_dtype
from mimo_core.errors import InputError
from tests.tiny_networks import random_weights, tiny_autoencoder, tiny_image_encoder


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), np.uint8)


def large_autoencoder():
    """diffusers' AutoencoderKL with the four levels of Stable Diffusion 1.5."""
    from diffusers import AutoencoderKL

    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    return random_weights(AutoencoderKL(block_out_channels=(32,) * 4, layers_per_block=1, **blocks))


class TestFiles:
    def test_shapes_of_latents_and_pictures(self, pictures):
        for network in (large_autoencoder(), tiny_autoencoder()):
            made = Autoencoder.from_tensors(network.state_dict())
            latents = made.encode(pictures)
            assert latents.shape == (3, 4, 4, 6)
            decoded = made.decode(latents)
            assert decoded.shape == pictures.shape and decoded.dtype == np.uint8

    def test_latents_are_the_mean_and_not_scaled(self, pictures):
        network = large_autoencoder()
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            expected = network.encode(pixels).latent_dist.mean
        found = Autoencoder.from_tensors(network.state_dict()).encode(pictures)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)

    def test_files_of_before_2023_name_the_attention_otherwise(self, pictures):
        state = large_autoencoder().state_dict()
        old = dict(state)
        for before, after in ATTENTION_RENAMES.items():
            old = {name.replace(after, before): tensor for name, tensor in old.items()}
        assert set(old) != set(state)
        expected = Autoencoder.from_tensors(state).encode(pictures)
        assert torch.equal(Autoencoder.from_tensors(old).encode(pictures), expected)

    def test_tiny_ones_come_in_the_names_of_diffusers_and_of_comfyui(self, pictures):
        state = tiny_autoencoder().state_dict()
        one, other = Autoencoder.from_tensors(state), Autoencoder.from_tensors(rename_taesd(state))
        assert torch.equal(one.encode(pictures), other.encode(pictures))
        np.testing.assert_array_equal(one.decode(one.encode(pictures)), other.decode(one.encode(pictures)))


class TestBadInput:
    def test_a_file_that_is_no_vae(self):
        with pytest.raises(InputError, match="seems to be a LoRA.*sd-vae-ft-mse"):
            Autoencoder.from_tensors({"x.lora_up.weight": torch.zeros(1)})

    def test_a_file_that_lacks_tensors(self):
        state = large_autoencoder().state_dict()
        state.pop("decoder.conv_out.bias")
        with pytest.raises(InputError, match=r"lacks 1 of \d+ tensors.*decoder.conv_out.bias"):
            Autoencoder.from_tensors(state)

    def test_an_overflow_is_not_a_black_video(self, pictures):
        made = Autoencoder.from_tensors(tiny_autoencoder().state_dict())
        latents = made.encode(pictures)
        made.network.decoder.layers[-1].weight.data[:] = float("nan")
        with pytest.raises(InputError, match="VAE's pictures are NaN or infinite"):
            made.decode(latents)
        made.network.encoder.layers[-1].weight.data[:] = float("inf")
        with pytest.raises(InputError, match="VAE's latents are NaN or infinite"):
            made.encode(pictures)


class TestImageEncoder:
    def test_its_shape_is_read_off_its_tensors(self):
        shape = infer_vision_config(tiny_image_encoder().state_dict())
        assert (shape["image_size"], shape["patch_size"], shape["projection_dim"]) == (64, 32, 16)

    def test_the_embedding_is_projected_and_not_normalised(self, pictures):
        token = embed_picture(build_image_encoder(tiny_image_encoder().state_dict()), pictures[0][:, :32])
        assert token.shape == (1, 16) and abs(float(token.norm()) - 1) > 1e-3

    def test_a_file_that_is_none(self):
        with pytest.raises(InputError, match="CLIP vision.*seems to be a VAE"):
            build_image_encoder(large_autoencoder().state_dict())

    def test_a_file_that_lacks_tensors(self):
        state = tiny_image_encoder().state_dict()
        state.pop("vision_model.post_layernorm.bias")
        with pytest.raises(InputError, match="lacks 1 tensors: vision_model.post_layernorm.bias"):
            build_image_encoder(state)


def test_by_itself_it_is_taken_where_the_card_does_not_imitate_it(monkeypatch):
    for is_imitated, expected in ((True, torch.float32), (False, torch.bfloat16)):
        answers = {True: True, False: not is_imitated}
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True, of=answers: of[including_emulation]
        )
        assert _choose_vae_dtype("auto", torch.device("cuda")) == expected


def test_a_device_of_another_maker_is_asked_as_its_module_can_be_asked(monkeypatch):
    for answer, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.xpu, "is_bf16_supported", lambda of=answer, /: of, raising=False)
        assert _choose_vae_dtype("auto", torch.device("xpu")) == expected


def test_bfloat16_draws_nearly_the_same_pictures():
    state = tiny_autoencoder().state_dict()
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    exact, half = (Autoencoder.from_tensors(state, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    latents = exact.encode(pictures)
    assert half.encode(pictures).dtype == torch.float32
    assert (half.encode(pictures) - latents).norm() / latents.norm() < 0.05
    assert np.abs(half.decode(latents).astype(int) - exact.decode(latents)).mean() < 4
