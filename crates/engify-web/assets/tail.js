// A table as it changes: rows come as the server draws them, a newer one in the place of its older self. The browser itself comes back after each end.
const button = document.querySelector("#live");
let source;
button.onclick = () => {
  button.ariaPressed = String(!source);
  if (source) source = source.close();
  else (source = new EventSource(button.dataset.from)).addEventListener("line", (event) => {
    document.getElementById(event.lastEventId)?.remove();
    document.querySelector("#lines")?.insertAdjacentHTML("afterbegin", event.data);
  });
};
