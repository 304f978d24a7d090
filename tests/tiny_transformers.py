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


def save_mask_network(folder):
    """SAM 2 for video on pictures of 64x64."""
    import torch
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

    torch.manual_seed(0)
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 1, 1],
        embed_dim_per_stage=[8, 16, 24, 32],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[32, 24, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=128,
    )
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": 64, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32,
        },
        image_size=64,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
    )  # fmt: skip
    Sam2VideoModel(config).save_pretrained(folder)
    return folder


def save_depth_network(folder):
    """Depth Anything on pictures whose sides are about 56."""
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(0)
    backbone = Dinov2Config(
        image_size=56,
        patch_size=14,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    find_class("DPTImageProcessor", since="")(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return folder


def save_edgetam(folder):
    """EdgeTAM for video on pictures of 256x256; its RepViT is that of timm, as large as the real one (5 million)."""
    import torch
    from transformers import EdgeTamVideoConfig, EdgeTamVideoModel, EdgeTamVisionConfig, TimmWrapperConfig

    torch.manual_seed(0)
    backbone = TimmWrapperConfig(
        architecture="repvit_m1",
        model_args={"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
    )
    vision = EdgeTamVisionConfig(backbone_config=backbone, backbone_feature_sizes=[[64, 64], [32, 32], [16, 16]])
    config = EdgeTamVideoConfig(
        vision_config=vision,
        prompt_encoder_config={"image_size": 256},
        image_size=256,
        memory_attention_rope_feat_sizes=[16, 16],
        memory_attention_rope_k_sizes=[16, 16],
    )
    EdgeTamVideoModel(config).save_pretrained(folder)
    return folder
