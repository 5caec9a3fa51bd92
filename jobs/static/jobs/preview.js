"use strict";
// The live preview: what the schedule means and when it fires next, as it is typed.
(() => {
    const FIELDS = ["schedule", "timezone", "gap", "repeated", "name", "starts_at", "ends_at", "calendar", "on_calendar", "jitter"];
    const PAUSE = 250; // milliseconds without typing before the server is asked

    function start() {
        const box = document.getElementById("cn-preview");
        const inputs = FIELDS.map((name) => document.getElementById(`id_${name}`));
        if (!box || inputs.includes(null)) {
            return;
        }
        let timer = 0;
        let asking = null;

        async function ask() {
            asking?.abort();
            asking = new AbortController();
            const mine = asking;
            const query = new URLSearchParams(inputs.map((input, index) => [FIELDS[index], input.value]));
            box.classList.add("cn-waiting");
            try {
                show(await fetched(`${box.dataset.url}?${query}`, mine.signal));
            } catch (error) {
                if (error.name !== "AbortError") {
                    say(`There is no preview: ${error.message}`);
                }
            }
            if (mine === asking) {
                box.classList.remove("cn-waiting");
            }
        }

        async function fetched(address, signal) {
            const answer = await fetch(address, {signal, credentials: "same-origin", redirect: "error"});
            if (!answer.ok) {
                throw new Error(`the server answered ${answer.status}`);
            }
            return answer.text();
        }

        function show(html) {
            box.innerHTML = html; // escaped by the server's template
        }

        function say(text) {
            box.textContent = text;
        }

        function later() {
            window.clearTimeout(timer);
            timer = window.setTimeout(ask, PAUSE);
        }

        inputs.forEach((input) => input.addEventListener("input", later));
        ask();
    }

    document.addEventListener("DOMContentLoaded", start);
})();
