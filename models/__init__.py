"""The zoo: networks with the names of their published checkpoints, a file a family."""

from trtnet.models.bert import minilm
from trtnet.models.clip import clip, clip_text, clip_vit_b_32
from trtnet.models.crepe import crepe
from trtnet.models.crnn import crnn
from trtnet.models.denoising import denoising_step
from trtnet.models.efficientnet_lite import efficientnet_lite0
from trtnet.models.gemma import gemma
from trtnet.models.gpt2 import gpt2
from trtnet.models.lenet import lenet
from trtnet.models.llama import llama
from trtnet.models.mobilenet import mobilenet_v2
from trtnet.models.mtcnn import mtcnn
from trtnet.models.phi3 import phi3
from trtnet.models.pp_ocr import pp_ocr_detector, pp_ocr_recognizer
from trtnet.models.qwen2 import qwen2
from trtnet.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from trtnet.models.silero_vad import silero_vad
from trtnet.models.stable_diffusion_unet import stable_diffusion_unet
from trtnet.models.unet import unet
from trtnet.models.vae_decoder import vae_decoder
from trtnet.models.vit import vit_b_16
from trtnet.models.voice_encoder import voice_encoder
from trtnet.models.whisper import whisper_tiny
from trtnet.models.whisper_text import whisper_decoder, whisper_encoder
from trtnet.models.yolo11 import yolo11n
from trtnet.models.yolov8 import yolov8n

__all__ = [
    "clip",
    "clip_text",
    "clip_vit_b_32",
    "crepe",
    "crnn",
    "denoising_step",
    "efficientnet_lite0",
    "gemma",
    "gpt2",
    "lenet",
    "llama",
    "minilm",
    "mobilenet_v2",
    "mtcnn",
    "phi3",
    "pp_ocr_detector",
    "pp_ocr_recognizer",
    "qwen2",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "silero_vad",
    "stable_diffusion_unet",
    "unet",
    "vae_decoder",
    "vit_b_16",
    "voice_encoder",
    "whisper_decoder",
    "whisper_encoder",
    "whisper_tiny",
    "yolo11n",
    "yolov8n",
]
