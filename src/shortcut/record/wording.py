"""Settings and figures in words."""

from shortcut.data.preprocess import Preprocess
from shortcut.language import Say, counted, whole
from shortcut.settings import (
    AugmentSettings,
    ConstantSchedule,
    CosineSchedule,
    MuonSettings,
    NoCrop,
    OneCycleSchedule,
    PlateauSchedule,
    Recipe,
    SgdSettings,
    ShiftCrop,
    StepSchedule,
)


def hyper_parameters(recipe: Recipe, say: Say) -> str:
    """Optimizer, schedule, epochs, batch and whatever option is on, in one line."""
    optim, train = recipe.optim, recipe.train
    decay = say(f", weight decay {optim.weight_decay:g}", f"，权重衰减 {optim.weight_decay:g}")
    rate = say(f", learning rate {optim.lr:g}", f"，学习率 {optim.lr:g}")
    if isinstance(optim, SgdSettings):
        name = "SGD (Nesterov)" if optim.nesterov else "SGD"
        extra = say(f", momentum {optim.momentum:g}", f"，动量 {optim.momentum:g}")
    elif isinstance(optim, MuonSettings):
        name = "Muon"
        extra = say(
            f" for filters, AdamW {optim.adamw_lr:g} for the rest",
            f"（卷积核），其余用 AdamW {optim.adamw_lr:g}",
        )
    else:
        name = {"adam": "Adam", "adamw": "AdamW"}[optim.name]
        betas = optim.beta1, optim.beta2
        extra = say(", betas {:g} and {:g}", "，beta 为 {:g} 与 {:g}").format(*betas)
    parts = [
        say(counted(train.epochs, "epoch"), f"{train.epochs} 轮"),
        say(f"batch {train.batch_size}", f"批大小 {train.batch_size}"),
        name + rate + extra + decay,
        _schedule(recipe, say),
        *_options(recipe, say),
        say(f"seed {recipe.seed}", f"随机种子 {recipe.seed}"),
    ]
    return say("; ", "；").join(parts)


def _schedule(recipe: Recipe, say: Say) -> str:
    match recipe.schedule:
        case ConstantSchedule():
            return say("constant rate", "学习率恒定")
        case StepSchedule(every=every, factor=factor):
            return say(
                f"rate times {factor:g} every {counted(every, 'epoch')}",
                f"学习率每 {every} 轮乘以 {factor:g}",
            )
        case PlateauSchedule(patience=patience, factor=factor):
            return say(
                f"rate times {factor:g} when training loss has not fallen for "
                f"{counted(patience, 'epoch')}",
                f"训练损失连续 {patience} 轮不下降时学习率乘以 {factor:g}",
            )
        case CosineSchedule(warmup_epochs=warmup, final=final):
            return say(
                f"cosine schedule to {final:g} of the rate after a warm-up of {warmup:g} epochs",
                f"余弦退火，预热 {warmup:g} 轮，最终降至学习率的 {final:g} 倍",
            )
        case OneCycleSchedule(start=start, peak=peak, final=final):
            return say(
                f"one-cycle schedule from {start:g} of the rate, at its peak after "
                f"{whole(peak, say)} of the training, down to {final:g}",
                f"单周期调度，从学习率的 {start:g} 倍升起，训练至 {peak:.0%} 时达到峰值，"
                f"最终降至 {final:g} 倍",
            )


def _options(recipe: Recipe, say: Say) -> list[str]:
    train = recipe.train
    options = [
        (
            train.accumulate > 1,
            say(f"{train.accumulate} batches a step", f"每 {train.accumulate} 批累积一次梯度"),
        ),
        (
            train.label_smoothing > 0,
            say(
                f"label smoothing {train.label_smoothing:g}", f"标签平滑 {train.label_smoothing:g}"
            ),
        ),
        (
            train.clip_norm is not None,
            say(f"gradients clipped at {train.clip_norm}", f"梯度裁剪 {train.clip_norm}"),
        ),
        (
            train.ema_decay > 0,
            say(
                f"averaged weights, decay {train.ema_decay:g}",
                f"权重指数滑动平均，衰减率 {train.ema_decay:g}",
            ),
        ),
        (
            train.patience is not None,
            say(
                f"stops after {counted(train.patience or 0, 'epoch')} without progress",
                f"连续 {train.patience} 轮无进步则提前停止",
            ),
        ),
    ]
    return [text for on, text in options if on]


def starting_weights(recipe: Recipe, say: Say) -> str:
    """What the network's weights were before the first step."""
    if recipe.model.weights == "imagenet":
        return say("starting from ImageNet weights", "以 ImageNet 预训练权重初始化")
    if recipe.model.first_filters == "patches":
        return say(
            "from random weights, in the first layer from principal components of patches",
            "随机初始化，第一层取训练图片小块的主成分",
        )
    return say("from random weights", "随机初始化")


def image_processing(recipe: Recipe, asked: Preprocess, say: Say) -> tuple[str, str]:
    """What is done to a picture in training, and in evaluation and prediction.

    Args:
        asked: of the classifier, which a budget may have made another than the recipe says.
    """
    size, augment = recipe.data.image_size, recipe.augment
    short_side = _short_side(recipe.data.short_side, say)
    middle = _middle(recipe.data.short_side, size, say)
    ending = say("ImageNet mean and deviation", "按 ImageNet 均值与标准差归一化")
    comma = say(", ", "，")
    return (
        comma.join(
            [_crop(augment, short_side, size, say) or middle, *_views(augment, size, say), ending]
        ),
        comma.join([_middle(asked.resize, asked.image_size, say), ending]),
    )


def _short_side(resize: int, say: Say) -> str:
    return say(f"short side to {resize} px", f"短边缩放至 {resize} 像素")


def _middle(resize: int, size: int, say: Say) -> str:
    square = say(f", middle square of {size} px", f"，居中裁剪 {size} 像素的正方形")
    return _short_side(resize, say) + square


def _crop(augment: AugmentSettings, short_side: str, size: int, say: Say) -> str:
    """Nothing where training cuts as evaluation does."""
    crop, final = augment.crop, round(size * augment.final_scale)
    if isinstance(crop, NoCrop):
        return ""
    if isinstance(crop, ShiftCrop):
        border = say(f", black border of {whole(crop.pad, say)}", f"，四周加 {crop.pad:.0%} 黑边")
        square = say(f", random square of {size} px", f"，随机位置裁剪 {size} 像素的正方形")
        return short_side + (border if crop.pad else "") + square
    return say(
        f"random part of at least {whole(crop.smallest, say)} of the area, resized to {final} px",
        f"随机裁剪不小于原图面积 {crop.smallest:.0%} 的区域并缩放至 {final} 像素",
    )


def _of_views(change: str, share: float, say: Say) -> str:
    return say(f"{change} of {share:.0%} of the views", f"{share:.0%} 的视图使用{change}")


def _views(augment: AugmentSettings, size: int, say: Say) -> list[str]:
    start, final = round(size * augment.start_scale), round(size * augment.final_scale)
    trivial = augment.trivial_augment or 0.0
    options = [
        (augment.flip, say("random mirroring", "随机水平翻转")),
        (
            start < final,
            say(
                f"growing from {start} to {final} px over the epochs",
                f"图像边长随轮次由 {start} 增至 {final} 像素",
            ),
        ),
        (trivial > 0, _of_views("TrivialAugment", trivial, say)),
        (
            augment.random_erasing > 0,
            _of_views(say("random erasing", "随机擦除"), augment.random_erasing, say),
        ),
        (augment.mixup > 0, f"mixup {augment.mixup:g}"),
        (augment.cutmix > 0, f"cutmix {augment.cutmix:g}"),
    ]
    return [text for on, text in options if on]
