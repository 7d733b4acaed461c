/* Behind `burstsr serve`: look for a newer page every few seconds. A page opened from the disk does nothing here. */
"use strict";
(function () {
  const meta = document.querySelector('meta[name="burstsr-live"]');
  if (!meta) return;
  let version = meta.content, waiting = 2000;
  const status = document.createElement("p");
  status.className = "live";
  status.setAttribute("role", "status");
  status.textContent = "live";
  document.body.append(status);
  const isIndex = Boolean(document.getElementById("cards"));
  async function replace() {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const main = document.getElementById("main");
    const focused = document.activeElement && document.activeElement.id;
    const opened = [...main.querySelectorAll("details[open] > summary")].map((s) => s.textContent);
    main.replaceWith(fresh);
    for (const summary of fresh.querySelectorAll("details > summary")) if (opened.includes(summary.textContent)) summary.parentElement.open = true;
    window.burstsrIndex();
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus({ preventScroll: true });
  }
  async function look() {
    try {
      const answer = await fetch("/version", { cache: "no-store" });
      const now = (await answer.text()).trim();
      if (answer.ok && now !== version) {
        version = now;
        if (isIndex) await replace();
        else status.innerHTML = 'newer results <a href="">reload</a>';
      } else if (isIndex) status.textContent = "live";
      waiting = 2000;
    } catch (error) {
      status.textContent = "burstsr serve has ended";
      waiting = Math.min(waiting * 2, 60000);
    }
    setTimeout(look, waiting);
  }
  setTimeout(look, waiting);
})();
