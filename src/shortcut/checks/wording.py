"""Every kind of finding: how bad, how sure, in words, and what to do about it."""

from shortcut.checks.findings import Kind

UNREADABLE = Kind(
    *("unreadable", "error", "certain"),
    ("files that cannot be read", "无法读取的文件"),
    (
        "copy or download them again, convert them, or take them out; training leaves them out",
        "重新复制或下载，转换格式，或移走；训练时会跳过它们",
    ),
)
LAYOUT = Kind(
    *("layout", "error", "certain"),
    ("a layout that cannot be trained on", "无法用于训练的文件夹结构"),
    ("mend it as the message says", "按提示修正"),
)
TWINS = Kind(
    *("twins", "error", "certain"),
    ("classes that differ only in case", "仅大小写不同的类别"),
    ("put them into one folder", "合并到同一个文件夹"),
)
EMPTY = Kind(
    *("empty", "error", "certain"),
    ("classes without pictures", "没有图片的类别"),
    ("add pictures, or remove the folder", "添加图片，或删除文件夹"),
)
MISSING = Kind(
    *("missing", "error", "certain"),
    ("classes that a part lacks", "在某个子集中缺失的类别"),
    ("add pictures of them to the other parts", "在其他子集中补充该类图片"),
)
LEAK = Kind(
    *("leak", "error", "likely"),
    ("pictures that stand in two parts (leaks)", "同时出现在两个子集中的图片(泄漏)"),
    (
        "take the copies out of the training part: what was learnt by heart is measured as skill",
        "从训练集中移走副本：否则背下来的会被当成学会的",
    ),
)
CONFLICT = Kind(
    *("conflict", "error", "likely"),
    ("one picture under two classes (conflicting labels)", "同一张图片属于两个类别(标签冲突)"),
    (
        "keep the right one; where both are right, the classes overlap",
        "保留正确的；若都对，说明类别有重叠",
    ),
)
MIRRORED = Kind(
    *("mirrored", "warning", "look"),
    ("mirror images under two classes", "互为镜像的图片属于两个类别"),
    (
        "look at them: where left and right tell the class, train with `--set augment.flip=no`",
        "看一看：若左右之分决定类别，训练时加 `--set augment.flip=no`",
    ),
)
COPIES = Kind(
    *("copies", "warning", "likely"),
    ("surplus copies within a class (duplicates)", "同一类别内多余的副本(重复图片)"),
    ("keep one of each: copies weigh more than they should", "每组只留一张：副本会占过大的比重"),
)
TINY = Kind(
    *("tiny", "warning", "certain"),
    ("classes with few pictures to train on", "训练图片很少的类别"),
    (
        "add pictures; start from published weights (`--weights imagenet`)",
        "补充图片；从公开权重开始(`--weights imagenet`)",
    ),
)
UNEVEN = Kind(
    *("uneven", "warning", "certain"),
    ("classes of very different size", "各类别数量相差悬殊"),
    (
        "add pictures to the small ones, and read the figures of each class",
        "给小类补充图片，并查看每一类的指标",
    ),
)
FEW = Kind(
    *("few", "warning", "certain"),
    ("few pictures to measure on", "用于评估的图片太少"),
    (
        "the accuracy will be known no better than this; add pictures",
        "准确率只能精确到这个程度；请补充图片",
    ),
)
BLANK = Kind(
    *("blank", "warning", "likely"),
    ("nearly blank pictures", "近乎空白的图片"),
    ("take them out: nothing can be learnt from them", "移走：从中学不到任何东西"),
)
PLAIN = Kind(
    *("plain", "warning", "look"),
    (
        "drawings, placeholders, or little picture in much frame",
        "线条画、占位图，或画面中大部分是边框",
    ),
    ("look at them: are they what should be learnt?", "看一看：它们是要学的内容吗？"),
)
DARK = Kind(
    *("dark", "warning", "look"),
    ("very dark pictures", "很暗的图片"),
    ("look at them: can you see what they show?", "看一看：能看出内容吗？"),
)
BLURRED = Kind(
    *("blurred", "warning", "look"),
    ("blurred pictures", "模糊的图片"),
    ("look at them: can you see what they show?", "看一看：能看出内容吗？"),
)
SMALL = Kind(
    *("small", "warning", "certain"),
    ("pictures much smaller than the others", "比其他图片小得多的图片"),
    ("find larger ones, or take them out", "找更大的图片，或移走"),
)
NARROW = Kind(
    *("narrow", "warning", "certain"),
    ("very long or very high pictures", "过长或过高的图片"),
    ("cut them yourself: only their middle is measured", "自行裁剪：评估时只看中间部分"),
)
STRANGERS = Kind(
    *("strangers", "warning", "certain"),
    ("pictures of formats that are not read", "格式不支持的图片"),
    (
        "convert them to JPEG or PNG: they are passed over in silence",
        "转换为 JPEG 或 PNG：训练时会直接略过",
    ),
)
HIDDEN = Kind(
    *("hidden", "note", "certain"),
    ("pictures in hidden files and folders", "隐藏文件和文件夹中的图片"),
    ("nothing, unless you want them: they are passed over", "如果不需要，无需处理：它们会被略过"),
)
RENAMED = Kind(
    *("renamed", "note", "certain"),
    ("pictures of another format than their name says", "实际格式与扩展名不符的图片"),
    (
        "nothing here: contents decide; other programs may refuse them",
        "这里无需处理：以内容为准；其他程序可能不认",
    ),
)
TURNED = Kind(
    *("turned", "note", "certain"),
    ("pictures that EXIF turns", "靠 EXIF 转正的图片"),
    (
        "nothing here: they are read upright; many programs show them lying",
        "这里无需处理：读入时会转正；不少程序会横着显示",
    ),
)
DEEP = Kind(
    *("deep", "note", "certain"),
    ("pictures of more than 8 bits a channel", "每通道超过 8 位的图片"),
    (
        "nothing here: they are scaled to 8 bits; many programs cut them off to white",
        "这里无需处理：会缩放到 8 位；不少程序会截断成白色",
    ),
)
CMYK = Kind(
    *("cmyk", "note", "certain"),
    ("pictures in colours for print (CMYK, Lab)", "印刷色彩(CMYK、Lab)的图片"),
    (
        "look at their colours: they are converted without their profile",
        "检查颜色：转换时不使用色彩配置",
    ),
)
TRANSPARENT = Kind(
    *("transparent", "note", "certain"),
    ("pictures with transparency", "带透明度的图片"),
    ("nothing here: white is laid under them", "这里无需处理：以白色为底"),
)
ANIMATED = Kind(
    *("animated", "note", "certain"),
    ("animations", "动图"),
    (
        "nothing, if the first frame shows what matters: only that is read",
        "如果首帧足够，无需处理：只读首帧",
    ),
)
GREY = Kind(
    *("grey", "note", "certain"),
    ("grey pictures among coloured ones", "彩色图片中混有灰度图片"),
    (
        "look whether one class has more of them: grey would then tell the class",
        "看看是否集中在某一类：那样灰度本身就泄露了类别",
    ),
)
LEVELS = {
    "error": ("to mend", "必须修正"),
    "warning": ("to look at", "需要查看"),
    "note": ("good to know", "供参考"),
}
SURE = {
    "certain": ("certain", "确定"),
    "likely": ("likely", "很可能"),
    "look": ("only a person can tell", "请人判断"),
}
