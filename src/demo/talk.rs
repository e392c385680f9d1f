//! Words for conversations: what people ask and are told, by language. `{n}` stands for a number of theirs.

/// What is said in one language. No list is empty.
#[derive(Debug)]
pub(super) struct Talk {
    /// The agent, before anyone has said anything.
    pub(super) greetings: &'static [&'static str],
    /// What the user asks, and what the agent answers.
    pub(super) topics: &'static [Topic],
    /// The user, when the answer was not enough.
    pub(super) asides: &'static [&'static str],
    /// The agent, to that.
    pub(super) replies: &'static [&'static str],
    /// The user, content.
    pub(super) thanks: &'static [&'static str],
    /// The agent, to that.
    pub(super) farewells: &'static [&'static str],
    /// How it ended, for a summary.
    pub(super) outcomes: &'static [&'static str],
}

/// A question with its answer.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) subject: &'static str,
    pub(super) question: &'static str,
    pub(super) answer: &'static str,
}

const fn topic(subject: &'static str, question: &'static str, answer: &'static str) -> Topic {
    Topic {
        subject,
        question,
        answer,
    }
}

/// Put after a text now and then.
pub(super) const EMOJI: &[&str] = &[
    "🙂",
    "🙏",
    "👍",
    "😅",
    "🎉",
    "❤️",
    "🤔",
    "😡",
    "📦",
    "👍🏽",
    "👩‍🔧",
    "🇧🇷",
    "🥲",
];

/// What the system around the agent notes, in the language of its operators.
pub(super) const NOTICES: &[&str] = &[
    "A colleague has joined the conversation.",
    "The conversation was handed to the billing team.",
    "The connection was lost and is back.",
    "The user shared their location.",
    "Messages are delayed on this platform.",
];

pub(super) const ENGLISH: Talk = Talk {
    greetings: &[
        "Hello! How can I help you today?",
        "Hi there 👋 I can look up orders, invoices and appointments.",
        "Welcome back! What can I do for you?",
    ],
    topics: &[
        topic(
            "Late parcel",
            "Where is my parcel? The order number is {n}.",
            "Order {n} left our warehouse yesterday and should be with you in two days.",
        ),
        topic(
            "Password",
            "I can’t sign in any more, it says my password is wrong.",
            "I have sent you a link for a new password. It works for one hour.",
        ),
        topic(
            "Invoice",
            "Could you send me invoice {n} again, please?",
            "Of course. Invoice {n} is on its way to the address we have for you.",
        ),
        topic(
            "Opening hours",
            "Are you open on Saturday?",
            "We are open on Saturdays from nine to one, and closed on Sundays.",
        ),
        topic(
            "Appointment",
            "I need to move my appointment to next week.",
            "Next week is possible on Tuesday or Thursday. Your reference is {n}. Which day suits you?",
        ),
        topic(
            "Refund",
            "I sent the shoes back and have not seen my money yet. Return {n}.",
            "Return {n} has arrived. The refund takes three to five working days.",
        ),
        topic(
            "Cancellation",
            "How do I cancel my plan?",
            "You can cancel at any time under Settings → Plan. It then runs until the end of the month.",
        ),
        topic(
            "App crashes",
            "The app closes by itself whenever I open the second page",
            "I am sorry to hear that. Which version do you have? It is at the bottom of the menu.",
        ),
    ],
    asides: &[
        "And what if I am not at home?",
        "Hmm, that is not what I asked",
        "ok",
        "Can I talk to a human?",
        "Is there anything faster?",
        "No, the other one 😅",
        "Tuesday, then.",
    ],
    replies: &[
        "I see. Let me check that for you…",
        "Sorry, I did not get that. Could you say it in other words?",
        "I have made a note of it.",
        "A colleague will write to you here within the hour.",
        "Yes, that is possible.",
    ],
    thanks: &[
        "Thanks!",
        "Great, thank you so much 🙏",
        "Perfect.",
        "that helped, bye",
    ],
    farewells: &[
        "You are welcome! Have a nice day.",
        "Gladly. Bye!",
        "Any time 🙂",
    ],
    outcomes: &["solved", "handed to a colleague", "the user left"],
};

pub(super) const SPANISH: Talk = Talk {
    greetings: &[
        "¡Hola! ¿En qué puedo ayudarte?",
        "Buenos días, soy tu asistente. ¿Qué necesitas?",
    ],
    topics: &[
        topic(
            "Pedido atrasado",
            "¿Dónde está mi pedido {n}? Ya tendría que haber llegado.",
            "El pedido {n} está en reparto y llegará mañana antes de las dos.",
        ),
        topic(
            "Contraseña",
            "No recuerdo mi contraseña, ¿qué hago?",
            "Te acabo de mandar un enlace para cambiarla. Sirve durante una hora.",
        ),
        topic(
            "Factura",
            "Necesito la factura {n} a nombre de mi empresa.",
            "Hecho: la factura {n} ya está a nombre de la empresa.",
        ),
        topic(
            "Horario",
            "¿A qué hora abren el sábado?",
            "Los sábados abrimos de diez a dos.",
        ),
    ],
    asides: &[
        "¿Y si no estoy en casa?",
        "No me refería a eso…",
        "vale",
        "¿Puedo hablar con una persona?",
    ],
    replies: &[
        "Déjame mirarlo un momento.",
        "Perdona, no te he entendido bien.",
        "Claro que sí.",
        "Queda anotado.",
    ],
    thanks: &["¡Muchas gracias!", "Genial, gracias 😊", "Perfecto"],
    farewells: &["¡De nada! Que tengas un buen día.", "A ti. ¡Hasta pronto!"],
    outcomes: &["resuelto", "pasado a una compañera"],
};

pub(super) const PORTUGUESE: Talk = Talk {
    greetings: &[
        "Olá! Como posso ajudar?",
        "Oi! Tudo bem? Conta pra mim o que aconteceu.",
    ],
    topics: &[
        topic(
            "Entrega",
            "Meu pedido {n} ainda não chegou.",
            "O pedido {n} saiu para entrega hoje de manhã.",
        ),
        topic(
            "Senha",
            "Esqueci a senha do aplicativo",
            "Enviei um código para você criar uma senha nova.",
        ),
        topic(
            "Boleto",
            "Pode mandar a segunda via do boleto {n}?",
            "Claro! A segunda via do boleto {n} está no seu e-mail.",
        ),
    ],
    asides: &[
        "E se não tiver ninguém em casa?",
        "não é isso",
        "Quero falar com um atendente",
    ],
    replies: &[
        "Só um momento, por favor.",
        "Desculpe, não entendi. Pode explicar melhor?",
        "Pode sim.",
    ],
    thanks: &["Obrigado!", "Obrigada, ajudou muito ❤️", "valeu"],
    farewells: &["Por nada! Tenha um ótimo dia.", "Até mais! 👋"],
    outcomes: &["resolvido", "passado ao atendente"],
};

pub(super) const FRENCH: Talk = Talk {
    greetings: &[
        "Bonjour ! Que puis-je faire pour vous ?",
        "Bonjour 👋 Je vous écoute.",
    ],
    topics: &[
        topic(
            "Colis",
            "Je n’ai toujours pas reçu mon colis n° {n}.",
            "Le colis {n} est au point relais. Vous avez dix jours pour le retirer.",
        ),
        topic(
            "Mot de passe",
            "J’ai oublié mon mot de passe.",
            "Un lien vient de vous être envoyé ; il est valable une heure.",
        ),
        topic(
            "Rendez-vous",
            "Est-ce que je peux déplacer mon rendez-vous à jeudi ?",
            "Oui, jeudi à quinze heures. Votre référence est {n}.",
        ),
    ],
    asides: &[
        "Et si je suis absent ?",
        "Ce n’est pas ma question.",
        "d’accord",
        "Puis-je parler à quelqu’un ?",
    ],
    replies: &[
        "Je regarde tout de suite.",
        "Pardon, je n’ai pas compris.",
        "C’est noté.",
        "Bien sûr.",
    ],
    thanks: &["Merci beaucoup !", "Parfait, merci 🙏", "super"],
    farewells: &[
        "Avec plaisir. Bonne journée !",
        "Je vous en prie. À bientôt !",
    ],
    outcomes: &["résolu", "transmis à une collègue"],
};

pub(super) const GERMAN: Talk = Talk {
    greetings: &["Guten Tag! Wie kann ich helfen?", "Hallo 👋 Worum geht es?"],
    topics: &[
        topic(
            "Lieferung",
            "Wo bleibt meine Bestellung {n}?",
            "Die Bestellung {n} ist unterwegs und kommt übermorgen an.",
        ),
        topic(
            "Passwort",
            "Ich komme nicht mehr in mein Konto.",
            "Ich habe Ihnen einen Link geschickt. Er gilt eine Stunde lang.",
        ),
        topic(
            "Rechnung",
            "Bitte schicken Sie mir die Rechnung {n} noch einmal.",
            "Gern. Die Rechnung {n} ist auf dem Weg zu Ihnen.",
        ),
        topic(
            "Öffnungszeiten",
            "Haben Sie samstags geöffnet?",
            "Samstags sind wir von neun bis dreizehn Uhr da.",
        ),
    ],
    asides: &[
        "Und wenn ich nicht zu Hause bin?",
        "Das meinte ich nicht.",
        "ok",
        "Geht das auch schneller?",
    ],
    replies: &[
        "Einen Moment, ich sehe nach.",
        "Das habe ich leider nicht verstanden.",
        "Ja, das geht.",
        "Notiert.",
    ],
    thanks: &["Danke!", "Super, vielen Dank 🙂", "Passt."],
    farewells: &["Gern geschehen. Schönen Tag noch!", "Tschüss und bis bald!"],
    outcomes: &["gelöst", "an eine Kollegin übergeben"],
};

pub(super) const POLISH: Talk = Talk {
    greetings: &["Dzień dobry! W czym mogę pomóc?", "Cześć 👋 Słucham."],
    topics: &[
        topic(
            "Przesyłka",
            "Gdzie jest moja paczka {n}?",
            "Paczka {n} czeka już w automacie.",
        ),
        topic(
            "Hasło",
            "Zapomniałam hasła do konta",
            "Wysłałem link do zmiany hasła. Działa przez godzinę.",
        ),
        topic(
            "Faktura",
            "Poproszę o fakturę {n}.",
            "Faktura {n} jest już w Twojej skrzynce.",
        ),
    ],
    asides: &[
        "A jeśli mnie nie będzie?",
        "Nie o to pytałem…",
        "Czy mogę porozmawiać z człowiekiem?",
    ],
    replies: &[
        "Już sprawdzam.",
        "Przepraszam, nie zrozumiałem.",
        "Tak, to możliwe.",
    ],
    thanks: &["Dziękuję!", "Super, dzięki 🙏"],
    farewells: &["Proszę bardzo. Miłego dnia!", "Do usłyszenia!"],
    outcomes: &["rozwiązane", "przekazane koleżance"],
};

pub(super) const RUSSIAN: Talk = Talk {
    greetings: &[
        "Здравствуйте! Чем могу помочь?",
        "Добрый день 👋 Слушаю вас.",
    ],
    topics: &[
        topic(
            "Доставка",
            "Где мой заказ {n}?",
            "Заказ {n} уже в пути, курьер приедет завтра.",
        ),
        topic(
            "Пароль",
            "не могу войти, пишет что пароль неверный",
            "Отправил ссылку для смены пароля.",
        ),
        topic(
            "Запись",
            "Хочу перенести запись на пятницу.",
            "Записал вас на пятницу, номер {n}.",
        ),
        topic(
            "Возврат",
            "Когда вернут деньги за {n}?",
            "Возврат {n} займёт три рабочих дня.",
        ),
    ],
    asides: &[
        "А если меня не будет дома?",
        "Я не об этом спрашивала",
        "ок",
        "Позовите оператора",
    ],
    replies: &[
        "Минутку, проверяю.",
        "Простите, не понял вопроса.",
        "Да, можно.",
        "Записал.",
    ],
    thanks: &["Спасибо!", "Спасибо большое 🙏", "Отлично"],
    farewells: &["Пожалуйста! Хорошего дня.", "Всего доброго!"],
    outcomes: &["решено", "передано оператору"],
};

pub(super) const UKRAINIAN: Talk = Talk {
    greetings: &["Вітаю! Чим можу допомогти?", "Добрий день 👋"],
    topics: &[
        topic(
            "Доставка",
            "Де моє замовлення {n}?",
            "Замовлення {n} вже їде до вас.",
        ),
        topic(
            "Пароль",
            "Забув пароль, що робити?",
            "Надіслав посилання, воно діє годину.",
        ),
        topic(
            "Години роботи",
            "Ви працюєте в суботу?",
            "Так, у суботу з десятої до другої.",
        ),
    ],
    asides: &[
        "А якщо мене не буде вдома?",
        "Ні, я про інше",
        "Можна з людиною?",
    ],
    replies: &["Зараз подивлюся.", "Вибачте, не зрозумів.", "Так, звісно."],
    thanks: &["Дякую!", "Щиро дякую 💛"],
    farewells: &["Будь ласка! Гарного дня.", "До зустрічі!"],
    outcomes: &["вирішено", "передано колезі"],
};

pub(super) const GREEK: Talk = Talk {
    greetings: &["Γεια σας! Πώς μπορώ να βοηθήσω;", "Καλημέρα 👋"],
    topics: &[
        topic(
            "Παράδοση",
            "Πού βρίσκεται η παραγγελία {n};",
            "Η παραγγελία {n} φτάνει αύριο το πρωί.",
        ),
        topic(
            "Κωδικός",
            "Ξέχασα τον κωδικό μου.",
            "Σας έστειλα σύνδεσμο για νέο κωδικό.",
        ),
        topic(
            "Ραντεβού",
            "Μπορώ να αλλάξω το ραντεβού μου;",
            "Βεβαίως. Ο αριθμός σας είναι {n}.",
        ),
    ],
    asides: &["Κι αν λείπω;", "Δεν εννοούσα αυτό", "εντάξει"],
    replies: &[
        "Μια στιγμή να το δω.",
        "Συγγνώμη, δεν κατάλαβα.",
        "Ναι, γίνεται.",
    ],
    thanks: &["Ευχαριστώ πολύ!", "Τέλεια 🙏"],
    farewells: &["Παρακαλώ, καλή σας μέρα!", "Τα λέμε!"],
    outcomes: &["λύθηκε", "δόθηκε σε συνάδελφο"],
};

pub(super) const ARABIC: Talk = Talk {
    greetings: &["مرحبًا! كيف يمكنني مساعدتك؟", "أهلًا وسهلًا 👋"],
    topics: &[
        topic(
            "توصيل",
            "أين طلبي رقم {n}؟",
            "طلبك رقم {n} في الطريق وسيصل غدًا.",
        ),
        topic(
            "كلمة السر",
            "نسيت كلمة السر",
            "أرسلت لك رابطًا صالحًا لساعة واحدة.",
        ),
        topic(
            "موعد",
            "أريد تغيير موعدي إلى يوم الخميس.",
            "تم. رقم الموعد الجديد {n}.",
        ),
    ],
    asides: &[
        "وإذا لم أكن في البيت؟",
        "ليس هذا سؤالي",
        "أريد التحدث مع موظف",
    ],
    replies: &["لحظة من فضلك.", "عذرًا، لم أفهم.", "نعم، هذا ممكن."],
    thanks: &["شكرًا جزيلًا!", "ممتاز 🙏"],
    farewells: &["على الرحب والسعة.", "إلى اللقاء!"],
    outcomes: &["تم الحل", "حُوّل إلى موظف"],
};

pub(super) const HEBREW: Talk = Talk {
    greetings: &["שלום! איך אפשר לעזור?", "היי 👋 במה מדובר?"],
    topics: &[
        topic(
            "משלוח",
            "איפה ההזמנה שלי, מספר {n}?",
            "הזמנה {n} בדרך ותגיע מחר.",
        ),
        topic(
            "סיסמה",
            "שכחתי את הסיסמה",
            "שלחתי לך קישור, הוא בתוקף לשעה.",
        ),
        topic(
            "שעות פתיחה",
            "אתם פתוחים ביום שישי?",
            "כן, משמונה עד שתים עשרה.",
        ),
    ],
    asides: &["ואם אני לא בבית?", "לא לזה התכוונתי", "אפשר לדבר עם נציג?"],
    replies: &["רגע, אני בודק.", "סליחה, לא הבנתי.", "כן, אפשר."],
    thanks: &["תודה רבה!", "מעולה 🙏"],
    farewells: &["בשמחה, יום טוב!", "להתראות!"],
    outcomes: &["נפתר", "הועבר לנציגה"],
};

pub(super) const HINDI: Talk = Talk {
    greetings: &["नमस्ते! मैं आपकी क्या मदद कर सकता हूँ?", "नमस्कार 👋"],
    topics: &[
        topic(
            "डिलीवरी",
            "मेरा ऑर्डर {n} कहाँ है?",
            "ऑर्डर {n} रास्ते में है और कल पहुँचेगा।",
        ),
        topic(
            "पासवर्ड",
            "मैं अपना पासवर्ड भूल गया",
            "मैंने आपको एक लिंक भेजा है, वह एक घंटे तक चलेगा।",
        ),
        topic(
            "बिल",
            "बिल {n} फिर से भेज दीजिए।",
            "बिल {n} आपके ईमेल पर भेज दिया है।",
        ),
    ],
    asides: &[
        "अगर मैं घर पर न रहूँ तो?",
        "मैंने यह नहीं पूछा था",
        "किसी इंसान से बात करवाइए",
    ],
    replies: &[
        "एक मिनट, देखता हूँ।",
        "माफ़ कीजिए, मैं समझा नहीं।",
        "जी हाँ, हो सकता है।",
    ],
    thanks: &["धन्यवाद!", "बहुत बढ़िया 🙏"],
    farewells: &["आपका स्वागत है।", "फिर मिलेंगे!"],
    outcomes: &["हल हो गया", "सहकर्मी को सौंपा गया"],
};

pub(super) const THAI: Talk = Talk {
    greetings: &["สวัสดีค่ะ มีอะไรให้ช่วยไหมคะ", "ยินดีต้อนรับค่ะ 👋"],
    topics: &[
        topic("จัดส่ง", "พัสดุหมายเลข {n} อยู่ที่ไหนแล้ว", "พัสดุ {n} จะถึงพรุ่งนี้ค่ะ"),
        topic("รหัสผ่าน", "ลืมรหัสผ่านครับ", "ส่งลิงก์ให้แล้วค่ะ ใช้ได้หนึ่งชั่วโมง"),
        topic("เวลาทำการ", "วันเสาร์เปิดไหมคะ", "วันเสาร์เปิดเก้าโมงถึงเที่ยงค่ะ"),
    ],
    asides: &["ถ้าไม่อยู่บ้านล่ะ", "ไม่ใช่แบบนั้น", "ขอคุยกับเจ้าหน้าที่"],
    replies: &["รอสักครู่นะคะ", "ขอโทษค่ะ ไม่เข้าใจ", "ได้ค่ะ"],
    thanks: &["ขอบคุณครับ", "ขอบคุณมากค่ะ 🙏"],
    farewells: &["ยินดีค่ะ", "แล้วพบกันใหม่นะคะ"],
    outcomes: &["แก้ไขแล้ว", "ส่งต่อเจ้าหน้าที่"],
};

pub(super) const CHINESE: Talk = Talk {
    greetings: &["您好！请问有什么可以帮您？", "欢迎光临 👋"],
    topics: &[
        topic(
            "物流",
            "我的订单{n}到哪儿了？",
            "订单{n}已经发货，明天送到。",
        ),
        topic(
            "密码",
            "我忘记密码了，怎么办？",
            "重置链接已经发给您，一小时内有效。",
        ),
        topic(
            "发票",
            "麻烦把发票{n}再发一次。",
            "发票{n}已经发到您的邮箱。",
        ),
        topic("预约", "我想把预约改到下周四。", "可以，新的预约号是{n}。"),
    ],
    asides: &["如果我不在家呢？", "不是这个意思", "转人工", "好的"],
    replies: &[
        "请稍等，我查一下。",
        "抱歉，我没听懂。",
        "可以的。",
        "已经记下了。",
    ],
    thanks: &["谢谢！", "太好了，谢谢 🙏"],
    farewells: &["不客气，祝您愉快！", "再见！"],
    outcomes: &["已解决", "已转人工"],
};

pub(super) const JAPANESE: Talk = Talk {
    greetings: &["こんにちは。ご用件をどうぞ。", "いらっしゃいませ 👋"],
    topics: &[
        topic(
            "配送",
            "注文番号{n}はいつ届きますか？",
            "ご注文{n}は明日の午前中に届く予定です。",
        ),
        topic(
            "パスワード",
            "パスワードを忘れました。",
            "再設定のリンクをお送りしました。一時間有効です。",
        ),
        topic(
            "予約",
            "予約を来週に変更したいです",
            "承知しました。新しい番号は{n}です。",
        ),
    ],
    asides: &[
        "留守の場合は？",
        "そうではなくて…",
        "担当の方と話せますか？",
    ],
    replies: &[
        "少々お待ちください。",
        "申し訳ありません、もう一度お願いします。",
        "はい、可能です。",
    ],
    thanks: &["ありがとうございます！", "助かりました 🙇"],
    farewells: &["どういたしまして。", "またのご利用をお待ちしております。"],
    outcomes: &["解決", "担当者へ引き継ぎ"],
};

pub(super) const KOREAN: Talk = Talk {
    greetings: &["안녕하세요! 무엇을 도와드릴까요?", "반갑습니다 👋"],
    topics: &[
        topic(
            "배송",
            "주문 {n} 언제 도착하나요?",
            "주문 {n}은 내일 도착할 예정입니다.",
        ),
        topic(
            "비밀번호",
            "비밀번호를 잊어버렸어요",
            "재설정 링크를 보내 드렸습니다. 한 시간 동안 쓸 수 있어요.",
        ),
        topic(
            "환불",
            "반품 {n} 환불은 언제 되나요?",
            "반품 {n}은 사흘 안에 환불됩니다.",
        ),
    ],
    asides: &[
        "집에 없으면요?",
        "그게 아니라요",
        "상담원 연결해 주세요",
        "ㅋㅋ",
    ],
    replies: &[
        "잠시만요, 확인하겠습니다.",
        "죄송해요, 이해하지 못했어요.",
        "네, 가능합니다.",
    ],
    thanks: &["감사합니다!", "고마워요 🙏"],
    farewells: &["천만에요. 좋은 하루 되세요!", "또 만나요!"],
    outcomes: &["해결됨", "상담원에게 전달됨"],
};

pub(super) const GEORGIAN: Talk = Talk {
    greetings: &["გამარჯობა! რით დაგეხმაროთ?", "მოგესალმებით 👋"],
    topics: &[
        topic(
            "მიწოდება",
            "სად არის ჩემი შეკვეთა {n}?",
            "შეკვეთა {n} ხვალ მოვა.",
        ),
        topic(
            "პაროლი",
            "პაროლი დამავიწყდა",
            "ბმული გამოგიგზავნეთ, ერთი საათი მოქმედებს.",
        ),
        topic(
            "ვიზიტი",
            "მინდა ვიზიტის გადატანა.",
            "კარგი, თქვენი ნომერია {n}.",
        ),
    ],
    asides: &["თუ სახლში არ ვიქნები?", "ეს არ მიკითხავს", "კარგი"],
    replies: &[
        "ერთი წუთით, ვამოწმებ.",
        "უკაცრავად, ვერ გავიგე.",
        "დიახ, შეიძლება.",
    ],
    thanks: &["გმადლობთ!", "დიდი მადლობა 🙏"],
    farewells: &["არაფრის, კარგ დღეს გისურვებთ!", "ნახვამდის!"],
    outcomes: &["მოგვარდა", "გადაეცა კოლეგას"],
};

pub(super) const VIETNAMESE: Talk = Talk {
    greetings: &["Xin chào! Tôi có thể giúp gì cho bạn?", "Chào bạn 👋"],
    topics: &[
        topic(
            "Giao hàng",
            "Đơn hàng {n} của tôi đến đâu rồi?",
            "Đơn {n} sẽ được giao vào sáng mai.",
        ),
        topic(
            "Mật khẩu",
            "Tôi quên mật khẩu rồi",
            "Tôi đã gửi liên kết, dùng được trong một giờ.",
        ),
        topic(
            "Hóa đơn",
            "Gửi lại giúp tôi hóa đơn {n} nhé.",
            "Hóa đơn {n} đã được gửi vào hộp thư của bạn.",
        ),
    ],
    asides: &[
        "Nếu tôi không có nhà thì sao?",
        "Không phải ý đó",
        "Cho tôi gặp nhân viên",
    ],
    replies: &[
        "Bạn chờ một chút nhé.",
        "Xin lỗi, tôi chưa hiểu.",
        "Được ạ.",
    ],
    thanks: &["Cảm ơn bạn!", "Tuyệt vời 🙏"],
    farewells: &["Không có gì, chúc bạn một ngày vui!", "Hẹn gặp lại!"],
    outcomes: &["đã xong", "đã chuyển cho nhân viên"],
};
