"""Networks of transformers at a thousandth of their size, with random weights, saved as the real ones are."""

from mimo_core.weights.transformers_networks import find_class


def save_vitpose(folder, *, joints=17, experts=1):
    """ViTPose of two small layers for crops of 64x48."""
    import torch
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        num_experts=experts,
        part_features=4 if experts > 1 else 0,
        out_indices=[2],
    )
    VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=joints)).save_pretrained(folder)
    find_class("VitPoseImageProcessor", since="")(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


def save_detector(folder, *, kind="rt_detr", labels=("person", "chair")):
    """RT-DETR or D-FINE of one small layer each."""
    import torch
    from transformers import DFineConfig, DFineForObjectDetection, RTDetrConfig, RTDetrForObjectDetection
    from transformers.models.hgnet_v2 import HGNetV2Config
    from transformers.models.rt_detr import RTDetrResNetConfig

    torch.manual_seed(0)
    small = {
        "encoder_hidden_dim": 16,
        "encoder_in_channels": [16, 16, 16],
        "encoder_layers": 1,
        "encoder_ffn_dim": 16,
        "encoder_attention_heads": 2,
        "d_model": 16,
        "num_queries": 12,
        "decoder_in_channels": [16, 16, 16],
        "decoder_ffn_dim": 16,
        "decoder_layers": 2,
        "decoder_attention_heads": 2,
        "num_denoising": 0,
        "id2label": dict(enumerate(labels)),
        "label2id": {name: number for number, name in enumerate(labels)},
    }
    if kind == "rt_detr":
        backbone = RTDetrResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 16, 16, 16],
            depths=[1, 1, 1, 1],
            out_features=["stage2", "stage3", "stage4"],
        )
        network = RTDetrForObjectDetection(RTDetrConfig(backbone_config=backbone, **small))
    else:
        backbone = HGNetV2Config(
            stem_channels=[3, 8, 8],
            stage_in_channels=[8, 8, 16, 16],
            stage_mid_channels=[8, 8, 8, 8],
            stage_out_channels=[8, 16, 16, 16],
            stage_num_blocks=[1, 1, 1, 1],
            stage_numb_of_layers=[1, 1, 1, 1],
            hidden_sizes=[8, 16, 16, 16],
            out_features=["stage2", "stage3", "stage4"],
        )
        network = DFineForObjectDetection(DFineConfig(backbone_config=backbone, hidden_expansion=0.5, **small))
    network.save_pretrained(folder)
    find_class("RTDetrImageProcessor", since="")(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder
