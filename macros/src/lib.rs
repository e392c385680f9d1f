//! `#[plain_fields]`: the fields of an object that need no waiting, as functions that write them.

use heck::ToLowerCamelCase;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, Item, ItemImpl, ItemStruct,
    LitStr, Meta, PathArguments, ReturnType, Type, parse_macro_input,
};

/// Put above the `#[Object]` of a type, makes it `PlainFields`: its methods that are not `async` can be called without the
/// executor. One without arguments is a value, one with arguments a list. All fields of a `SimpleObject` are values.
///
/// The methods stay as they are, and so does all that `#[Object]` makes of them: the schema and the stock way to resolve.
#[proc_macro_attribute]
pub fn plain_fields(
    _: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let object = parse_macro_input!(item as Item);
    let plain = match &object {
        Item::Impl(object) => methods(object),
        Item::Struct(object) => values(object),
        other => Err(syn::Error::new(
            other.span(),
            "is neither a struct nor its methods",
        )),
    };
    let plain = plain.unwrap_or_else(|error| error.to_compile_error());
    quote!(#object #plain).into()
}

/// The fields of an `#[Object]`: its methods.
fn methods(object: &ItemImpl) -> syn::Result<TokenStream> {
    let methods = object.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) if method.sig.asyncness.is_none() => Some(method),
        _ => None,
    });
    let fields = methods.map(field).collect::<syn::Result<Vec<_>>>()?;
    Ok(expand(&object.self_ty, &fields))
}

/// The fields of a `SimpleObject`: its values.
fn values(object: &ItemStruct) -> syn::Result<TokenStream> {
    let fields = object.fields.iter().map(|field| {
        let (value, ty) = (&field.ident, &field.ty);
        let value = value
            .as_ref()
            .ok_or_else(|| syn::Error::new(field.span(), "has no name"))?;
        let name = match given_name(&field.attrs)? {
            Some(name) => name,
            None => value.to_string().to_lower_camel_case(),
        };
        Ok(quote! {
            #name => PlainField::Value {
                is_plain: <#ty as Plain>::is_plain,
                write: |this, at, json| Plain::write(&this.#value, at, json),
            }
        })
    });
    let fields = fields.collect::<syn::Result<Vec<_>>>()?;
    Ok(expand(&object.ident, &fields))
}

fn expand(this: &impl ToTokens, fields: &[TokenStream]) -> TokenStream {
    quote! {
        impl crate::graphql::render::PlainFields for #this {
            fn plain_field(name: &str) -> ::std::option::Option<crate::graphql::render::PlainField<Self>> {
                use crate::graphql::render::{Children, NotPlain, Plain, PlainField};
                ::std::option::Option::Some(match name {
                    #(#fields,)*
                    _ => return ::std::option::Option::None,
                })
            }
        }
    }
}

/// A method as an arm of the match over names.
fn field(method: &ImplItemFn) -> syn::Result<TokenStream> {
    // `#[Object]` gives every method a context, whether or not it looks at one.
    let call = &method.sig.ident;
    let name = given_name(&method.attrs)?.unwrap_or_else(|| call.to_string().to_lower_camel_case());
    let ReturnType::Type(_, output) = &method.sig.output else {
        return Err(syn::Error::new(method.sig.span(), "a field has a type"));
    };
    let mut arguments = Vec::new();
    for input in method.sig.inputs.iter().skip(1) {
        let FnArg::Typed(typed) = input else {
            return Err(syn::Error::new(input.span(), "a field takes `&self` first"));
        };
        if !is_context(&typed.ty) {
            arguments.push((argument_name(&typed.pat, &typed.attrs)?, &typed.ty));
        }
    }
    if arguments.is_empty() {
        return Ok(quote! {
            #name => PlainField::Value {
                is_plain: <#output as Plain>::is_plain,
                write: |this, at, json| Plain::write(&this.#call(at.context()), at, json),
            }
        });
    }
    let list = within_result(output)?;
    let values: Vec<_> = (0..arguments.len())
        .map(|at| format_ident!("argument_{at}"))
        .collect();
    let (names, types): (Vec<_>, Vec<_>) = arguments.into_iter().unzip();
    Ok(quote! {
        #name => PlainField::Children {
            is_plain: <#list as Children>::is_plain,
            of: |this, at| {
                #(let (_, #values) = at.context().param_value::<#types>(#names, ::std::option::Option::None).map_err(|_| NotPlain)?;)*
                let list = this.#call(at.context(), #(#values),*).map_err(|_| NotPlain)?;
                ::std::result::Result::Ok(::std::boxed::Box::new(list))
            },
        }
    })
}

fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else {
        return false;
    };
    matches!(&*reference.elem, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Context"))
}

/// `T` of `Result<T>`.
fn within_result(ty: &Type) -> syn::Result<&Type> {
    let inner = match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .and_then(|last| match &last.arguments {
                PathArguments::AngleBracketed(arguments) if last.ident == "Result" => {
                    arguments.args.first()
                }
                _ => None,
            }),
        _ => None,
    };
    match inner {
        Some(GenericArgument::Type(inner)) => Ok(inner),
        _ => Err(syn::Error::new(
            ty.span(),
            "a list is a `Result<…>`: its arguments may be wrong",
        )),
    }
}

fn argument_name(pattern: &syn::Pat, attributes: &[Attribute]) -> syn::Result<String> {
    let syn::Pat::Ident(ident) = pattern else {
        return Err(syn::Error::new(pattern.span(), "an argument has a name"));
    };
    let plain = |ident: &Ident| ident.to_string().to_lower_camel_case();
    Ok(given_name(attributes)?.unwrap_or_else(|| plain(&ident.ident)))
}

/// The `name` in `#[graphql(…)]`. A default would have to be known here too: there is none in this graph.
fn given_name(attributes: &[Attribute]) -> syn::Result<Option<String>> {
    let mut name = None;
    for attribute in attributes {
        if !attribute.path().is_ident("graphql") || !matches!(attribute.meta, Meta::List(_)) {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            let known = ["name", "desc"].iter().any(|word| meta.path.is_ident(word));
            if !known {
                return Err(meta.error("a plain field takes `name` and `desc` alone"));
            }
            let text: LitStr = meta.value()?.parse()?;
            if meta.path.is_ident("name") {
                name = Some(text.value());
            }
            Ok(())
        })?;
    }
    Ok(name)
}
