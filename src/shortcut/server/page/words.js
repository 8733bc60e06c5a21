// Texts of the page in English and Chinese, each as a pair, and how they get into it.
const WORDS = {
  title: ["Image classifier", "图像分类"],
  other: ["中文", "English"],
  otherLang: ["zh-Hans", "en"],
  knows: ["Tells {few} apart.", "能分辨：{few}。"],
  knowsMany: ["Tells {count} classes, among them {few}.", "能分辨 {count} 个类别，例如 {few}。"],
  comma: [", ", "、"],
  and: [" and ", "、"],
  drop: ["Drop pictures here", "把图片拖到这里"],
  choose: ["or choose files", "或选择文件"],
  pick: ["Choose pictures", "选择图片"],
  paste: ["A copied picture can be pasted: Ctrl+V or ⌘V.", "复制的图片可以粘贴：Ctrl+V 或 ⌘V。"],
  photograph: ["Take a photograph", "拍照"],

  answers: ["Answers", "答案"],
  progress: ["{done} of {all} done", "已完成 {done} / {all}"],
  clear: ["Clear all", "全部清除"],
  cleared: ["All pictures are removed.", "已清除所有图片。"],
  removed: ["{file} is removed.", "已移除 {file}。"],

  waiting: ["Waiting…", "等待中…"],
  asking: ["Looking…", "识别中…"],
  sure: ["{label}", "{label}"],
  unsure: ["not sure (perhaps {label})", "不确定（可能是 {label}）"],
  unlike: ["unlike anything seen in training (perhaps {label})", "与训练图片都不像（可能是 {label}）"],
  came: ["{file}: {answer}, {score}", "{file}：{answer}，{score}"],
  cameMany: ["{count} more answers have come.", "又有 {count} 个答案。"],
  picture: ["The picture {file}", "图片 {file}"],
  unshown: ["This browser cannot show this file.", "浏览器无法显示此文件。"],
  scores: ["Scores of the classes", "各类别的得分"],
  more: ["{count} more", "其余 {count} 个"],
  percent: ["{share}\u00a0%", "{share}%"],

  where: ["Where?", "看了哪里？"],
  whole: ["Whole picture", "完整图片"],
  looking: ["Looking where…", "正在查看…"],
  speaks: ["What speaks for", "支持哪一类"],
  slider: ["From picture to heat map", "从图片到热力图"],
  sliderAt: ["{share}\u00a0% heat map", "热力图 {share}%"],
  square: ["What the network sees of {file}", "网络看到的 {file}"],
  heat: ["Heat map over {file}: what speaks for {label}", "{file} 上的热力图：支持 {label} 的区域"],
  legend: ["Yellow spoke most for it, blue little, grey not at all.", "黄色区域支持最多，蓝色较少，灰色没有。"],
  heatCame: ["The heat map of {file} is there, with a slider.", "{file} 的热力图已显示，可用滑块调节。"],

  raw: ["JSON and curl", "JSON 与 curl"],
  json: ["Answer as JSON", "JSON 答案"],
  curl: ["Command that gives it", "得到它的命令"],
  copy: ["Copy the command", "复制命令"],
  copied: ["Copied", "已复制"],
  uncopied: ["Not copied: select it and press Ctrl+C", "未能复制：请选中后按 Ctrl+C"],
  again: ["Try again", "重试"],
  remove: ["Remove", "移除"],

  retry0: ["The server cannot be reached; trying again in {seconds} s.", "无法连接服务器，{seconds} 秒后重试。"],
  retry429: ["The server is busy; trying again in {seconds} s.", "服务器繁忙，{seconds} 秒后重试。"],
  retry503: ["The server is not ready yet; trying again in {seconds} s.", "服务器尚未就绪，{seconds} 秒后重试。"],
  failed: ["No answer", "没有答案"],
  failed0: ["Server not reached", "无法连接服务器"],
  failed401: ["Token needed", "需要令牌"],
  failed413: ["Too large", "文件过大"],
  failed422: ["Cannot be read", "无法读取"],
  failed429: ["Server busy", "服务器繁忙"],
  failed503: ["Server not ready", "服务器未就绪"],
  failed504: ["Too slow", "超时"],
  unreached: ["The network or the server is down.", "网络或服务器不可用。"],
  status: ["The server answered with status {status}.", "服务器返回状态 {status}。"],
  garbled: ["The answer of the server cannot be read.", "无法解读服务器的回答。"],
  unopened: ["This file cannot be opened: is it a folder, or was it moved?", "无法打开此文件：是文件夹，还是已被移动？"],
  large: ["The file has {size} MiB; the server takes at most {limit} MiB.", "文件有 {size} MiB，服务器最多接受 {limit} MiB。"],
  request: ["Request {id}", "请求编号 {id}"],

  token: ["Token", "令牌"],
  tokenWhy: ["This server answers those who have its token. It is forgotten when the page is closed.", "此服务器只回答持有令牌的人。关闭页面后令牌即被忘记。"],
  tokenWrong: ["That token was not accepted.", "该令牌未被接受。"],
  send: ["Send", "发送"],
  cancel: ["Cancel", "取消"],

  model: ["The model", "模型"],
  loading: ["Loading…", "加载中…"],
  name: ["Name", "名称"],
  network: ["Network", "网络"],
  sees: ["{network}, sees {side}\u00a0×\u00a0{side} pixels", "{network}，输入 {side}\u00a0×\u00a0{side} 像素"],
  classes: ["Classes", "类别"],
  count: ["{count} classes", "{count} 个类别"],
  accuracy: ["Accuracy", "准确率"],
  right: ["{share} right", "答对 {share}"],
  rightOn: ["{share} right on {images} pictures", "在 {images} 张图片上答对 {share}"],
  rightOnPart: ["{share} right on {images} pictures of the {part} part", "在{part}的 {images} 张图片上答对 {share}"],
  interval: ["{right} (95\u00a0% interval {low} to {high})", "{right}（95% 置信区间 {low} 至 {high}）"],
  val: ["val", "验证集"],
  test: ["test", "测试集"],
  unmeasured: ["Not measured.", "未测量。"],
  created: ["Trained", "训练日期"],
  undated: ["Unknown", "未知"],
  engine: ["Runs on", "运行于"],
  version: ["Version", "版本"],
  meanings: ["What the answers mean", "答案的含义"],
  meansScore: ["Score: of answers with 90\u00a0%, about nine in ten are right, for pictures like those of the training.", "得分：对与训练图片相似的图片，得分 90% 的答案约有九成正确。"],
  meansUnsure: ["Not sure: the score is below {limit}, too low to count as an answer.", "不确定：得分低于 {limit}，不足以作为答案。"],
  neverUnsure: ["Not sure: never said, as no limit is set for this model.", "不确定：此模型未设界限，因此从不这样回答。"],
  meansUnlike: ["Unlike: the picture is farther from those of the training than 99 in 100 of their kind, so do not trust the answer, whatever its score.", "不像：图片与训练图片的差距比 99% 的同类图片都大，无论得分多高都不要相信该答案。"],
  neverUnlike: ["Unlike: never said, as this model cannot tell it.", "不像：此模型无法判断，因此从不这样回答。"],
};
const KEPT = "shortcut.language";
let chinese = false;

export const has = (key) => Object.hasOwn(WORDS, key);

export function say(key, values = {}) {
  return WORDS[key][chinese ? 1 : 0].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const number = (value, digits = 0) =>
  value.toLocaleString(chinese ? "zh" : "en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const date = (text) => new Date(text).toLocaleDateString(chinese ? "zh" : "en-GB", { dateStyle: "long" });

/** A share, 0 to 1. What is not quite all or nothing never reads as if it were. */
export function percent(share) {
  const [least, most] = [share > 0 && share < 0.0005, share < 1 && share >= 0.9995];
  return say("percent", { share: least ? "<0.1" : most ? ">99.9" : number(100 * share, 1) });
}

export function listed(names) {
  const last = names.length > 1 ? say("and") + names.at(-1) : "";
  return (last ? names.slice(0, -1) : names).join(say("comma")) + last;
}

/** Sets a text of a node (or `alt`, `ariaLabel`), now and whenever the language changes. */
export function put(node, make, where = "textContent") {
  node.made = { ...node.made, [where]: make };
  node[where] = make();
}

/** Gives all nodes below one that name a text with `data-say` or `data-label` theirs. */
export function dress(root) {
  for (const node of root.querySelectorAll("[data-say]")) put(node, () => say(node.dataset.say));
  for (const node of root.querySelectorAll("[data-label]")) put(node, () => say(node.dataset.label), "ariaLabel");
}

/** Switches, or at first takes what was chosen before, else the language of the browser. */
export function speak(other = false) {
  chinese = other ? !chinese : (remembered() ?? navigator.language).startsWith("zh");
  if (other) remember(chinese ? "zh" : "en");
  document.documentElement.lang = chinese ? "zh-Hans" : "en";
  document.title = say("title");
  for (const node of document.querySelectorAll("*"))
    for (const [where, make] of Object.entries(node.made ?? {})) node[where] = make();
}

let unsaid = [];

/** For those who listen. Answers come in flocks: three are told, the rest counted. */
export function announce(text) {
  if (unsaid.push(text) > 1) return;
  setTimeout(() => {
    const lines = unsaid.slice(0, 3);
    if (unsaid.length > 3) lines.push(say("cameMany", { count: number(unsaid.length - 3) }));
    document.getElementById("said").replaceChildren(...lines.map((line) => made("p", line)));
    unsaid = [];
  }, 300);
}

export function made(tag, text = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

/** A node like that in a template. */
export const grown = (name) =>
  document.getElementById(name).content.firstElementChild.cloneNode(true);

// Browsers that keep nothing throw already where localStorage is named.
function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function remember(code) {
  try {
    localStorage.setItem(KEPT, code);
  } catch {
    // Then the choice holds for this visit.
  }
}
